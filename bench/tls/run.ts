/**
 * What TLS adds to a message that goes through a bridge and back: a gateway with TLS beside one without, in
 * turn, one message in flight. Executor and harness both come by TLS, so that each echo is encrypted and
 * decrypted four times, half of it in the gateway.
 *
 * @module
 */
import { mintCapabilityToken } from "../../src/auth/capability_token.ts";
import { type Figure, median } from "../figures.ts";
import {
  CAPTOKEN_SECRET,
  type GatewayProcess,
  INTERNAL_SECRET,
  startGatewayProcess,
} from "../gateway_process.ts";
import { fetchWs } from "../relays/tools.ts";

const KIB = 1024;

/** The sizes of the messages, in bytes. */
const SIZES = [16 * KIB, 64 * KIB, 1024 * KIB];

/** What TLS may add, in milliseconds. */
const LIMIT_MS = 3;

/** Echoes of each size that are not counted, at first. */
const WARM_UP = 20;

/** What was measured. */
export interface TlsRun {
  /** When, in ISO 8601. */
  readonly at: string;
  /** Of each size, through each gateway. */
  readonly echoes: number;
  readonly figures: readonly Figure[];
}

/** A bridge for the load to open both ends of. */
interface Bridge {
  readonly executor: string;
  readonly bridge: string;
  readonly ca?: string;
}

/** Measures. */
export async function runTls(quick: boolean): Promise<TlsRun> {
  const at = new Date().toISOString();
  const echoes = quick ? 100 : 500;
  await using ends = new AsyncDisposableStack();
  const bridges: Bridge[] = [];
  for (const tls of [false, true]) {
    const dataDir = await Deno.makeTempDir({ prefix: "cxg-bench-" });
    ends.defer(() => Deno.remove(dataDir, { recursive: true }));
    bridges.push(await bridgeOf(ends.use(await startGatewayProcess(dataDir, undefined, tls))));
  }
  const times = await echo(bridges, echoes);
  const figures = SIZES.flatMap((size, i) => {
    const [plain, tls] = times[i] as [number[], number[]];
    const what = `echo of ${size / KIB} KiB`;
    const added = median(tls.map((ms, n) => ms - plain[n]!));
    const unit = "ms";
    return [
      { what: `${what} without TLS, p50`, value: median(plain), unit },
      { what: `${what} over TLS, p50`, value: median(tls), unit },
      { what: `${what}: TLS adds, p50`, value: added, unit, limit: LIMIT_MS },
    ];
  });
  return { at, echoes, figures };
}

/** Of each size the times of each bridge's echoes, in milliseconds. */
async function echo(bridges: readonly Bridge[], echoes: number): Promise<number[][][]> {
  const script = new URL("echoes.cjs", import.meta.url).pathname;
  const child = new Deno.Command("node", {
    args: [script, await fetchWs()],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const task = JSON.stringify({ bridges, sizes: SIZES, warmUp: WARM_UP, echoes });
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(task));
  await writer.close();
  const { success, stdout } = await child.output();
  if (!success) throw new Error("the echoes failed");
  return JSON.parse(new TextDecoder().decode(stdout));
}

async function bridgeOf({ url, wsUrl, ca }: GatewayProcess): Promise<Bridge> {
  using client = ca === undefined ? undefined : Deno.createHttpClient({ caCerts: [ca] });
  const response = await fetch(`${url}/api/codex-exec/register`, {
    method: "POST",
    headers: { "x-internal-secret": INTERNAL_SECRET, "x-user-id": "bench" },
    client,
  });
  const { exe_id, registration_token } = await response.json();
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const token = await mintCapabilityToken(
    { turn_id: "bench", workspace_id: "bench", exe_ids: [exe_id], iat: exp - 3600, exp },
    new TextEncoder().encode(CAPTOKEN_SECRET),
  );
  return {
    executor: `${wsUrl}/codex-exec/${exe_id}?token=${registration_token}`,
    bridge: `${wsUrl}/bridge/${exe_id}?token=${token}`,
    ca,
  };
}
