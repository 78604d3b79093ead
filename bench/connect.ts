/**
 * What the capability check and the routing add to a bridge's connect: the gateway's beside a bare
 * upgrade in the same runtime, in turn.
 *
 * @module
 */
import { freePort } from "../tests/support/free_port.ts";
import { mintCapabilityToken } from "../src/auth/capability_token.ts";
import { type Figure, median, percentile } from "./figures.ts";
import { CAPTOKEN_SECRET, INTERNAL_SECRET, startGatewayProcess } from "./gateway_process.ts";
import { open } from "./websocket.ts";

const LIMIT_MS = 1;

/** What was measured. */
export interface ConnectRun {
  /** When, in ISO 8601. */
  readonly at: string;
  readonly connects: number;
  readonly figures: readonly Figure[];
}

/** Measures. */
export async function runConnect(quick: boolean): Promise<ConnectRun> {
  const at = new Date().toISOString();
  const connects = quick ? 200 : 500;
  const dataDir = await Deno.makeTempDir({ prefix: "cxg-bench-" });
  const bare = await startBareServer();
  try {
    await using gateway = await startGatewayProcess(dataDir);
    const bridgeUrl = await exclusiveBridge(gateway.url, gateway.wsUrl);
    const bareTimes: number[] = [];
    const bridgeTimes: number[] = [];
    for (let i = -50; i < connects; i++) {
      const bareMs = await timeConnect(bare.url);
      const bridgeMs = await timeConnect(bridgeUrl);
      if (i < 0) continue;
      bareTimes.push(bareMs);
      bridgeTimes.push(bridgeMs);
    }
    const unit = "ms";
    const figures = [
      { what: "bare upgrade, p50", value: median(bareTimes), unit },
      { what: "bare upgrade, p99", value: percentile(bareTimes, 0.99), unit },
      { what: "bridge, p50", value: median(bridgeTimes), unit },
      { what: "bridge, p99", value: percentile(bridgeTimes, 0.99), unit },
      {
        what: "the capability check and the routing add, p50",
        value: median(bridgeTimes) - median(bareTimes),
        unit,
        limit: LIMIT_MS,
      },
    ];
    return { at, connects, figures };
  } finally {
    bare.stop();
    await Deno.remove(dataDir, { recursive: true });
  }
}

async function startBareServer(): Promise<{ url: string; stop(): void }> {
  const port = freePort();
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-net",
      new URL("bare_upgrade.ts", import.meta.url).pathname,
      String(port),
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const url = `127.0.0.1:${port}`;
  for (let serving = false; !serving;) {
    serving = await fetch(`http://${url}/`).then((r) => r.text(), () => "") === "ok";
  }
  return { url: `ws://${url}/`, stop: () => child.kill() };
}

/** The URL of a bridge to an executor that has dialled in and says nothing. */
async function exclusiveBridge(url: string, wsUrl: string): Promise<string> {
  const response = await fetch(`${url}/api/codex-exec/register`, {
    method: "POST",
    headers: { "x-internal-secret": INTERNAL_SECRET, "x-user-id": "bench" },
  });
  const { exe_id, registration_token } = await response.json();
  await open(`${wsUrl}/codex-exec/${exe_id}?token=${registration_token}`);
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const token = await mintCapabilityToken(
    { turn_id: "bench", workspace_id: "bench", exe_ids: [exe_id], iat: exp - 3600, exp },
    new TextEncoder().encode(CAPTOKEN_SECRET),
  );
  return `${wsUrl}/bridge/${exe_id}?token=${token}`;
}

/** Opens a websocket and closes it; returns how long the opening took, in milliseconds. */
async function timeConnect(url: string): Promise<number> {
  while (true) {
    const started = performance.now();
    try {
      const socket = await open(url);
      const took = performance.now() - started;
      const closed = new Promise((resolve) => socket.onclose = resolve);
      socket.close();
      await closed;
      return took;
    } catch {
      // 409: the gateway has not seen yet that the bridge before has closed.
    }
  }
}
