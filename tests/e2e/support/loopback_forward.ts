/**
 * Passes a port of its machine's loopback on: `HOST PORT` name where to, `LISTEN_PORT` which it is (0 for
 * any). Prints the port.
 */
// deno-lint-ignore-file no-console
import { connect, createServer } from "node:net";

const [host, port, listenPort] = Deno.args;
const server = createServer((near) => {
  const far = connect(Number(port), host);
  near.pipe(far).pipe(near);
  near.on("error", () => {}).on("close", () => far.destroy());
  far.on("error", () => {}).on("close", () => near.destroy());
});
server.listen(
  Number(listenPort),
  "127.0.0.1",
  () => console.log((server.address() as { port: number }).port),
);
