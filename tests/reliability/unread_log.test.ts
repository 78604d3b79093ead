import assert from "node:assert/strict";
import { median, percentile } from "../../bench/figures.ts";
import type { GatewayProcess } from "../support/gateway_process.ts";
import { report } from "./support/figures.ts";
import { first } from "./support/priority.ts";
import { withGateway } from "./support/process_gateway.ts";
import { RoundTrips } from "./support/round_trips.ts";
import { full } from "./support/scale.ts";

/** A workspace id that makes a log line long: the fewer calls fill what may wait. */
const LONG = "𝒲".repeat(60);

/** How long nobody reads, in milliseconds. */
const UNREAD_MS = full ? 60_000 : 12_000;

/** How long each look at the bridge is, in milliseconds. */
const ROUND_MS = 1_500;

Deno.test("nobody reads the log under load: the p99 of a bridge stays within 1.5 times that of the same load with a reader", () =>
  withGateway({}, async (gateway) => {
    await using _first = await first(gateway.pid, Deno.pid);
    await using trips = await RoundTrips.start(gateway);
    const { exe_id } = await gateway.createExecutor();
    const lines = new Lines(gateway, exe_id);
    const idle: number[] = [];
    const read: number[] = [];
    const unread: number[] = [];
    const end = performance.now() + 2 * UNREAD_MS;
    // In turn, so that a machine that is disturbed for a while disturbs both.
    while (performance.now() < end) {
      idle.push(percentile(await trips.measure(ROUND_MS), 0.99));
      read.push(percentile(await lines.during(trips.measure(ROUND_MS)), 0.99));
      gateway.stopReadingLog();
      await lines.untilDropped();
      unread.push(percentile(await lines.during(trips.measure(ROUND_MS)), 0.99));
      gateway.readLogOn();
    }
    const lost = await gateway.metric("cxg_log_lines_dropped_total");
    const times = median(unread.map((ms, i) => ms / read[i]!));
    await report(
      "p99 of a bridge while nobody reads the log, each call a line",
      `${times.toFixed(2)} times that with a reader (${median(unread).toFixed(2)} over ` +
        `${median(read).toFixed(2)} ms, without the calls ${
          median(idle).toFixed(2)
        } ms; median of ` +
        `${read.length} rounds), limit 1.5; ` +
        `${lost} lines lost and counted`,
    );
    assert.ok(lost > 0);
    assert.ok(times <= 1.5, `${times} times`);
  }));

/** Calls that each log one line. */
class Lines {
  readonly #gateway: GatewayProcess;
  readonly #exeId: string;

  constructor(gateway: GatewayProcess, exeId: string) {
    this.#gateway = gateway;
    this.#exeId = exeId;
  }

  /** One line after the other for as long as something takes. */
  async during<T>(work: Promise<T>): Promise<T> {
    let done = false;
    const finished = work.finally(() => done = true);
    while (!done) {
      await this.#logOne();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return await finished;
  }

  /** Until a line more than before was dropped. */
  async untilDropped(): Promise<void> {
    const before = await this.#dropped();
    while (await this.#dropped() === before) {
      await Promise.all(Array.from({ length: 25 }, () => this.#logOne()));
    }
  }

  #dropped(): Promise<number> {
    return this.#gateway.metric("cxg_log_lines_dropped_total");
  }

  async #logOne(): Promise<void> {
    const path = `/api/codex-exec/workspaces/${encodeURIComponent(LONG)}/executors`;
    const answer = await this.#gateway.call("POST", path, { exe_id: this.#exeId });
    await answer.body?.cancel();
    assert.equal(answer.status, 201);
  }
}
