/**
 * What the gateway is measured beside.
 *
 * @module
 */
import { freePort } from "../../tests/support/free_port.ts";
import type { Target, TargetName } from "./target.ts";
import { buildGo, fetchWs } from "./tools.ts";

const PEERS = new URL("../peers/", import.meta.url).pathname;

/** The barest relay that Deno allows. */
export function startDenoRelay(): Promise<Target> {
  return startRelay("deno", Deno.execPath(), (port) => [
    "run",
    "--no-prompt",
    "--allow-net",
    `${PEERS}deno_relay.ts`,
    port,
  ]);
}

/** One written with Go's nhooyr.io/websocket. */
export async function startGoRelay(): Promise<Target> {
  return await startRelay("go", await buildGo("peers/go_relay"), (port) => [port]);
}

/** One written with npm:ws on Node. */
export async function startWsRelay(): Promise<Target> {
  const packageDir = await fetchWs();
  return await startRelay("ws", "node", (port) => [`${PEERS}ws_relay.cjs`, port, packageDir]);
}

/**
 * nginx as a websocket proxy: what it costs to move the bytes at all.
 *
 * @param echo the host and port of the server behind it
 * @param bufferKib the size of its two buffers for each bridge; what it takes unasked when absent
 */
export async function startNginx(
  name: "nginx" | "nginx64k",
  echo: string,
  bufferKib?: number,
): Promise<Target> {
  const directory = await Deno.makeTempDir({ prefix: "cxg-bench-nginx-" });
  const port = freePort();
  const configFile = `${directory}/nginx.conf`;
  await Deno.writeTextFile(configFile, nginxConfig(directory, port, echo, bufferKib));
  const args = ["-p", directory, "-c", configFile, "-e", `${directory}/error.log`];
  const child = spawn("nginx", args);
  await untilListening(child, port);
  return {
    name,
    pid: child.pid,
    takesText: true,
    ends: (bridges) =>
      Promise.resolve({
        executors: [],
        harnesses: numbered(bridges, () => ({
          url: `ws://127.0.0.1:${port}/`,
          stream: crypto.randomUUID(),
        })),
      }),
    async [Symbol.asyncDispose]() {
      await end(child);
      await Deno.remove(directory, { recursive: true });
    },
  };
}

/** Makes one value for each of so many. */
export function numbered<T>(count: number, make: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(i));
}

async function startRelay(
  name: TargetName,
  program: string,
  args: (port: string) => string[],
): Promise<Target> {
  const port = freePort();
  const child = spawn(program, args(String(port)));
  await untilListening(child, port);
  return {
    name,
    pid: child.pid,
    takesText: true,
    ends(bridges) {
      const streams = numbered(bridges, () => crypto.randomUUID());
      const url = (side: string, stream: string) => `ws://127.0.0.1:${port}/${side}/${stream}`;
      return Promise.resolve({
        executors: streams.map((stream) => url("a", stream)),
        harnesses: streams.map((stream) => ({ url: url("b", stream), stream })),
      });
    },
    [Symbol.asyncDispose]: () => end(child),
  };
}

function spawn(program: string, args: string[]): Deno.ChildProcess {
  return new Deno.Command(program, { args, stdin: "null", stdout: "null", stderr: "inherit" })
    .spawn();
}

async function end(child: Deno.ChildProcess): Promise<void> {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    // It has ended by itself.
  }
  await child.status;
}

async function untilListening(child: Deno.ChildProcess, port: number): Promise<void> {
  let ended = false;
  child.status.then(() => ended = true);
  while (!ended) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
  throw new Error(`what should have listened on port ${port} ended`);
}

/** One process, which is the worker; everything else that could cost something is off. */
function nginxConfig(
  directory: string,
  port: number,
  echo: string,
  bufferKib: number | undefined,
): string {
  return `
    daemon off;
    master_process off;
    user root;
    pid ${directory}/pid;
    error_log ${directory}/error.log;
    worker_rlimit_nofile 16384;
    events { worker_connections 8192; }
    http {
      access_log off;
      client_body_temp_path ${directory}/body;
      proxy_temp_path ${directory}/proxy;
      fastcgi_temp_path ${directory}/fastcgi;
      uwsgi_temp_path ${directory}/uwsgi;
      scgi_temp_path ${directory}/scgi;
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://${echo};
          proxy_http_version 1.1;
          proxy_set_header Upgrade $http_upgrade;
          proxy_set_header Connection upgrade;
          proxy_read_timeout 1h;
          proxy_send_timeout 1h;
          ${
    bufferKib === undefined
      ? ""
      : `proxy_buffer_size ${bufferKib}k; proxy_buffers 8 ${bufferKib}k; proxy_busy_buffers_size ${
        2 * bufferKib
      }k;`
  }
        }
      }
    }
  `;
}
