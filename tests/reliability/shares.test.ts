import assert from "node:assert/strict";
import { median, percentile } from "../../bench/figures.ts";
import { untilConnected } from "../support/exclusive.ts";
import type { GatewayProcess } from "../support/gateway_process.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { frame, register } from "../support/relay.ts";
import { until } from "../support/websocket.ts";
import { report } from "./support/figures.ts";
import { first } from "./support/priority.ts";
import { withGateway } from "./support/process_gateway.ts";
import { PusherProcess } from "./support/pusher_process.ts";
import { RoundTrips } from "./support/round_trips.ts";
import { full } from "./support/scale.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** How many bridges read nothing, and how much more may be resident for them all, in MiB. */
const BRIDGES = 40;
const LIMIT_MIB = 64;

/** How long others are looked at before and after, in milliseconds. */
const MEASURED_MS = full ? 10_000 : 3_000;

const CASES: readonly {
  what: string;
  executors: number;
  turns: number;
  variables: Record<string, string>;
}[] = [
  // As many bridges to one executor as a turn may have.
  { what: "40 bridges of one token, to five executors,", executors: 5, turns: 1, variables: {} },
  {
    what: "40 turns' bridges to one executor, 32 MiB for all that waits,",
    executors: 1,
    turns: BRIDGES,
    variables: { CXG_MAX_TOTAL_BUFFERED: String(32 * MIB) },
  },
];

for (const { what, executors, turns, variables } of CASES) {
  Deno.test(`${what} that read nothing of what is printed cost at most 64 MiB, and others go on`, () =>
    withGateway(variables, async (gateway) => {
      await using _first = await first(gateway.pid, Deno.pid);
      await using trips = await RoundTrips.start(gateway);
      await using printers = await Printers.set(gateway, executors, turns);
      const before = await trips.measure(MEASURED_MS);
      await gateway.resetPeakResident();
      const quiet = await gateway.residentBytes();
      // A round trip that does not come back fails.
      const meanwhile = await trips.measureWhile(printers.print());
      const then = await trips.measure(MEASURED_MS);
      const grownMib = (await gateway.peakResidentBytes() - quiet) / MIB;
      const waitingMib = await gateway.metric("cxg_buffered_bytes") / MIB;
      await report(
        `resident memory: ${what} that read nothing`,
        `${grownMib.toFixed(1)} MiB more than before, limit ${LIMIT_MIB} MiB; ${
          waitingMib.toFixed(1)
        } MiB wait to be sent`,
      );
      await report(
        `round trips of others: ${what} that read nothing`,
        `before ${times(before)}; until the executors are held ${times(meanwhile)}; then ${
          times(then)
        }`,
      );
      assert.ok(grownMib <= LIMIT_MIB, `it grew by ${grownMib} MiB`);
    }));
}

function times(tookMs: readonly number[]): string {
  const [half, most] = [median(tookMs), percentile(tookMs, 0.99)];
  return `p50 ${half.toFixed(2)} ms, p99 ${most.toFixed(2)} ms`;
}

/** Relay executors that print to harnesses that read nothing. */
class Printers implements AsyncDisposable {
  private constructor(
    readonly gateway: GatewayProcess,
    readonly pushers: readonly PusherProcess[],
    readonly harnesses: readonly RawSocket[],
  ) {}

  /** Connects all of them, as many bridges to each executor; nothing is printed yet. */
  static async set(gateway: GatewayProcess, executors: number, turns: number): Promise<Printers> {
    const created = [];
    for (let n = 0; n < executors; n++) created.push(await gateway.createExecutor());
    const exe_ids = created.map(({ exe_id }) => exe_id);
    const tokens: string[] = [];
    for (let n = 0; n < turns; n++) tokens.push(await gateway.capToken("", { exe_ids }));
    const pushers: PusherProcess[] = [];
    const harnesses: RawSocket[] = [];
    for (const [n, executor] of created.entries()) {
      const { exe_id } = executor;
      const [stream, ...furtherStreams] = Array.from(
        { length: BRIDGES / executors },
        (_, each) => `stream-${n}-${each}`,
      );
      pushers.push(
        await PusherProcess.start({
          port: gateway.port,
          path: `/codex-exec/${exe_id}`,
          token: new URL((await register(gateway, executor)).url).searchParams.get("token")!,
          stream,
          furtherStreams,
          frameBytes: 32 * KIB,
          totalBytes: 4096 * MIB,
        }),
      );
      await untilConnected(gateway, exe_id);
      for (const [each, name] of [stream!, ...furtherStreams].entries()) {
        const token = tokens[each % turns]!;
        const harness = await RawSocket.open(gateway.port, `/bridge/${exe_id}`, token);
        harness.sendMessage(frame(name, "resume"));
        harness.stopReading();
        harnesses.push(harness);
      }
    }
    await until(
      "all have their streams",
      async () => await gateway.metric("cxg_streams") === BRIDGES,
    );
    return new Printers(gateway, pushers, harnesses);
  }

  /** Prints until all of the executors are held, and nothing more comes in. */
  async print(): Promise<void> {
    const { gateway, pushers } = this;
    for (const pusher of pushers) await pusher.go();
    let passed = -1;
    await until("all are held", async () => {
      const before = passed;
      passed = await gateway.metric('cxg_frame_bytes_total{to="harness"}');
      const held = await gateway.metric('cxg_held{side="executor"}');
      await new Promise((resolve) => setTimeout(resolve, 200));
      // The round trips of others are small.
      return held >= pushers.length && passed - before < 32 * KIB;
    }, 30_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const harness of this.harnesses) harness[Symbol.dispose]();
    for (const pusher of this.pushers) await pusher[Symbol.asyncDispose]();
  }
}
