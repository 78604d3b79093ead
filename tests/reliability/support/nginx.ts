/**
 * nginx with `deploy/nginx.conf`.
 *
 * @module
 */
import { freePort } from "../../support/free_port.ts";
import { configuration, isThere, type Proxy, type Started } from "./proxy_front.ts";

export const NGINX: Proxy = {
  name: "nginx",
  file: "nginx.conf",
  isThere: await isThere("nginx"),
  awayStatus: 502,
  idle: [/proxy_read_timeout (\w+);/, /proxy_send_timeout (\w+);/],
  start,
};

const LOGS = ["access", "server_error", "error"];

async function start(gatewayPort: number): Promise<Started> {
  const port = freePort();
  const dir = await Deno.makeTempDir({ prefix: "cxg-nginx-" });
  await Deno.writeTextFile(`${dir}/nginx.conf`, await mainFile(dir, port, gatewayPort));
  const child = new Deno.Command("nginx", {
    args: ["-p", dir, "-c", `${dir}/nginx.conf`, "-e", `${dir}/error.log`],
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  return {
    port,
    async logs() {
      const read = async (name: string) => [name, await Deno.readTextFile(`${dir}/${name}.log`)];
      return Object.fromEntries(await Promise.all(LOGS.map(read)));
    },
    async stop() {
      child.kill("SIGTERM");
      await child.status;
      await Deno.remove(dir, { recursive: true });
    },
  };
}

/** The file with the one that includes it around it, and without TLS, for which there is no certificate. */
async function mainFile(dir: string, port: number, gatewayPort: number): Promise<string> {
  const conf = await configuration(NGINX.file, [
    [/^ *listen 443 ssl;$/m, `listen 127.0.0.1:${port};`],
    [/^ *ssl_certificate .*$/m, ""],
    [/^ *ssl_certificate_key .*$/m, ""],
    [/127\.0\.0\.1:6060/, `127.0.0.1:${gatewayPort}`],
    [/\/var\/log\/nginx\/codex-exec-gateway\.log/, `${dir}/access.log`],
    [/\/var\/log\/nginx\/codex-exec-gateway\.error\.log/, `${dir}/server_error.log`],
  ]);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${dir}/${name};`);
  // Started by root, the workers must be able to write where root's test does.
  const user = Deno.uid() === 0 ? "user root;" : "";
  return `${user} daemon off; worker_processes 1; pid ${dir}/nginx.pid;
    events { worker_connections 4096; }
    http { ${temporary.join(" ")} ${conf} }`;
}
