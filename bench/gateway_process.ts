/**
 * The gateway as a process of its own, started as its users start it.
 *
 * @module
 */

import { freePort } from "../tests/support/free_port.ts";

/** Where a benchmark's gateway keeps its data, and how to reach it. */
export interface GatewayProcess extends AsyncDisposable {
  readonly url: string;
  readonly wsUrl: string;
  /** The process of the task; the gateway is its child. */
  readonly pid: number;
  /** The CA of its certificate, PEM, where it serves TLS. */
  readonly ca?: string;
  /** From the start of the process to the first `GET /healthz` that answers 200, in milliseconds. */
  readonly startMs: number;
}

/** The secrets of a benchmark's gateway. */
export const CAPTOKEN_SECRET = "bench-captoken-hmac-secret-0123456789";
export const INTERNAL_SECRET = "bench-agentserver-internal-secret";

/**
 * Runs `deno task start` and waits until it serves.
 *
 * @param dataDir its data directory
 * @param databaseUrl a PostgreSQL server; the embedded database when absent
 * @param tls whether it serves TLS, with a certificate that it makes
 */
export async function startGatewayProcess(
  dataDir: string,
  databaseUrl?: string,
  tls = false,
): Promise<GatewayProcess> {
  const port = freePort();
  const url = `${tls ? "https" : "http"}://127.0.0.1:${port}`;
  const started = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["task", "--quiet", "start"],
    cwd: new URL("..", import.meta.url),
    env: {
      CXG_PORT: String(port),
      CXG_DATA_DIR: dataDir,
      CXG_CAPTOKEN_HMAC_SECRET: CAPTOKEN_SECRET,
      CXG_AGENTSERVER_INTERNAL_SECRET: INTERNAL_SECRET,
      ...databaseUrl === undefined ? {} : { CXG_DATABASE_URL: databaseUrl },
      ...tls ? { CXG_TLS: "self-signed" } : {},
    },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  let ended = false;
  child.status.then(() => ended = true);
  let ca: string | undefined;
  for (let serving = false; !serving;) {
    if (ended) throw new Error(`the gateway did not start: ${(await child.status).code}`);
    if (tls) ca = await Deno.readTextFile(`${dataDir}/tls/ca.pem`).catch(() => undefined);
    serving = await serves(url, ca);
  }
  return {
    url,
    ca,
    wsUrl: url.replace("http", "ws"),
    pid: child.pid,
    startMs: performance.now() - started,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.status;
    },
  };
}

async function serves(url: string, ca: string | undefined): Promise<boolean> {
  using client = ca === undefined ? undefined : Deno.createHttpClient({ caCerts: [ca] });
  try {
    const response = await fetch(`${url}/healthz`, { client });
    await response.body?.cancel();
    return response.ok;
  } catch {
    await new Promise((resolve) => setTimeout(resolve, 2));
    return false;
  }
}
