// deno-lint-ignore-file no-console
/**
 * What a round trip costs the gateway's process: the exclusive bridge beside the relay bridge, in
 * turn, the CPU taken from the kernel's accounts.
 *
 * @module
 */
import { mintCapabilityToken } from "../src/auth/capability_token.ts";
import { frame } from "../tests/support/relay.ts";
import { median, report } from "./figures.ts";
import { CAPTOKEN_SECRET, INTERNAL_SECRET, startGatewayProcess } from "./gateway_process.ts";
import { open } from "./websocket.ts";

const ROUNDS = 5;
const ROUND_TRIPS = 20_000;
const MAX_RATIO = 1.3;
/** What the kernel counts CPU in: USER_HZ, 100 on Linux whatever its own tick. */
const TICKS_PER_SECOND = 100;
const STREAM = crypto.randomUUID();

/** A joined pair: the executor echoes. */
interface Pair {
  /** Sends a message and waits for it to come back. */
  roundTrip(message: Uint8Array<ArrayBuffer>): Promise<void>;
}

/** Measures and prints. */
export async function benchRoundTrips(): Promise<void> {
  if (Deno.build.os !== "linux") {
    console.log("\nCPU of a round trip: not measured, it is read from /proc");
    return;
  }
  const dataDir = await Deno.makeTempDir({ prefix: "cxg-bench-" });
  try {
    await using gateway = await startGatewayProcess(dataDir);
    const exclusive = await openPair(gateway.url, "exclusive");
    const relay = await openPair(gateway.url, "relay");
    for (const bytes of [1024, 65_536]) {
      // The same bytes for both, so that only the routing differs, and of exactly this size: Deno's
      // websocket client, which the load comes from, waits some 40 ms (Nagle and delayed ACK) with
      // each message over 1 KiB and under 64 KiB.
      const message = frameOf(bytes);
      const figures: Record<"exclusive" | "relay", number[]> = { exclusive: [], relay: [] };
      for (let round = -1; round < ROUNDS; round++) {
        for (const [name, pair] of [["exclusive", exclusive], ["relay", relay]] as const) {
          const before = await cpuSeconds(gateway.pid);
          for (let i = 0; i < ROUND_TRIPS; i++) await pair.roundTrip(message);
          const spent = await cpuSeconds(gateway.pid) - before;
          if (round >= 0) figures[name].push(spent / ROUND_TRIPS * 1e6);
        }
      }
      console.log(
        `\ngateway CPU of a round trip at ${bytes / 1024} KiB, median of ${ROUNDS} rounds of ` +
          `${ROUND_TRIPS}`,
      );
      const [one, other] = [median(figures.exclusive), median(figures.relay)];
      report("exclusive bridge", one, "µs");
      report("relay bridge", other, "µs");
      report(
        "relay / exclusive",
        other / one,
        "times",
        bytes === 1024 ? MAX_RATIO : undefined,
      );
    }
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}

/** An executor that echoes and a harness joined to it. */
async function openPair(url: string, kind: "exclusive" | "relay"): Promise<Pair> {
  const wsUrl = url.replace("http", "ws");
  const created = await fetch(`${url}/api/codex-exec/register`, {
    method: "POST",
    headers: { "x-internal-secret": INTERNAL_SECRET, "x-user-id": "bench" },
  });
  const { exe_id, registration_token } = await created.json();
  let executorUrl = `${wsUrl}/codex-exec/${exe_id}?token=${registration_token}`;
  if (kind === "relay") {
    const registered = await fetch(`${url}/cloud/environment/${exe_id}/register`, {
      method: "POST",
      headers: { authorization: `Bearer ${registration_token}` },
    });
    executorUrl = (await registered.json()).url;
  }
  const executor = await open(executorUrl);
  executor.onmessage = ({ data }) => executor.send(data);
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const token = await mintCapabilityToken(
    { turn_id: "bench", workspace_id: "bench", exe_ids: [exe_id], iat: exp - 3600, exp },
    new TextEncoder().encode(CAPTOKEN_SECRET),
  );
  const harness = await open(`${wsUrl}/bridge/${exe_id}?token=${token}&role=harness`);
  let back: () => void = () => {};
  harness.onmessage = () => back();
  const pair: Pair = {
    roundTrip: (message) =>
      new Promise((resolve) => {
        back = resolve;
        harness.send(message);
      }),
  };
  await pair.roundTrip(frame(STREAM, "resume"));
  return pair;
}

/** A data frame of so many bytes in all. */
function frameOf(bytes: number): Uint8Array<ArrayBuffer> {
  const overhead = frame(STREAM, "data", new Uint8Array(bytes - 100)).length - (bytes - 100);
  return frame(STREAM, "data", new Uint8Array(bytes - overhead));
}

/** User and system time of a process and of those it has started, in seconds. */
async function cpuSeconds(pid: number): Promise<number> {
  // Fields 14 and 15, counted behind the name, which is in parentheses and may have blanks.
  const fields = (await Deno.readTextFile(`/proc/${pid}/stat`)).split(") ")[1]!.split(" ");
  const own = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  const children = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`);
  const times = await Promise.all(children.split(" ").filter(Boolean).map(Number).map(cpuSeconds));
  return times.reduce((sum, seconds) => sum + seconds, own);
}
