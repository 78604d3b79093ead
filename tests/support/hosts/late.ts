/** `HOST PORT MS`: passes on what comes to it, MS milliseconds later each way. Prints its port. */
// deno-lint-ignore-file no-console
import { connect, createServer, type Socket } from "node:net";

const [host, port, ms] = Deno.args;

function passOn(from: Socket, to: Socket): void {
  // Timers of one length fire in the order in which they were set.
  const later = (what: () => void) => setTimeout(what, Number(ms));
  from.on("data", (data) => later(() => to.write(data)));
  from.on("end", () => later(() => to.end()));
  from.on("close", () => later(() => to.destroy()));
  from.on("error", () => {});
  from.setNoDelay(true);
}

const server = createServer({ allowHalfOpen: true }, (near) => {
  const far = connect({ host, port: Number(port), allowHalfOpen: true });
  passOn(near, far);
  passOn(far, near);
});
server.listen(0, "0.0.0.0", () => console.log((server.address() as { port: number }).port));
