/**
 * HAProxy with `deploy/haproxy.cfg`.
 *
 * @module
 */
import { freePort } from "../../support/free_port.ts";
import { configuration, isThere, type Proxy, type Started } from "./proxy_front.ts";

export const HAPROXY: Proxy = {
  name: "HAProxy",
  file: "haproxy.cfg",
  isThere: await isThere("haproxy"),
  awayStatus: 503,
  idle: [/timeout tunnel (\w+)/],
  start,
};

async function start(gatewayPort: number): Promise<Started> {
  const port = freePort();
  const dir = await Deno.makeTempDir({ prefix: "cxg-haproxy-" });
  // Without TLS, for which there is no certificate.
  const conf = await configuration(HAPROXY.file, [
    [/^ *log \/dev\/log local0$/m, "log stdout format raw local0 info"],
    [/^ *user haproxy\n *group haproxy$/m, ""],
    // It wants twice as many file descriptors as that.
    [/^ *maxconn 20000$/m, "maxconn 2000"],
    [/^ *bind :443 ssl crt \S+ alpn http\/1\.1$/m, `bind 127.0.0.1:${port}`],
    [/127\.0\.0\.1:6060/, `127.0.0.1:${gatewayPort}`],
  ]);
  await Deno.writeTextFile(`${dir}/haproxy.cfg`, conf);
  const child = new Deno.Command("haproxy", {
    args: ["-db", "-f", `${dir}/haproxy.cfg`],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const logs = { access: "", error: "" };
  const reading = Promise.all([
    keep(child.stdout, (text) => logs.access += text),
    keep(child.stderr, (text) => logs.error += text),
  ]);
  return {
    port,
    logs: () => Promise.resolve(logs),
    async stop() {
      child.kill("SIGTERM");
      await child.status;
      await reading;
      await Deno.remove(dir, { recursive: true });
    },
  };
}

async function keep(stream: ReadableStream<Uint8Array>, take: (text: string) => void) {
  const decoder = new TextDecoder();
  for await (const part of stream) take(decoder.decode(part, { stream: true }));
}
