import assert from "node:assert/strict";
import { median, percentile } from "../../bench/figures.ts";
import { report } from "./support/figures.ts";
import { first } from "./support/priority.ts";
import { withGateway } from "./support/process_gateway.ts";
import { RoundTrips } from "./support/round_trips.ts";
import { full } from "./support/scale.ts";
import { SlowReader } from "./support/slow_reader.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** CXG_MAX_BUFFERED, as it is when nothing else is said. */
const LIMIT = 16 * MIB;

/** What a gigabit link carries, in bytes a second. */
const GIGABIT = 125e6;

/** How long to look at the others when the senders are closed soon, in milliseconds. */
const CLOSED_SOON_MS = 2_000;

const PEERS = [
  { role: "harness", kind: "exclusive" },
  { role: "harness", kind: "relay" },
  { role: "executor", kind: "exclusive" },
  { role: "executor", kind: "relay" },
] as const;

for (const { role, kind } of PEERS) {
  for (const frameBytes of [64 * KIB, MIB]) {
    const what =
      `1 GiB at full speed in frames of ${frameBytes / KIB} KiB for a ${role} (${kind}) ` +
      "that does not read";
    Deno.test(`${what} costs at most twice what may wait`, () =>
      withGateway({}, async (gateway) => {
        await using _first = await first(gateway.pid, Deno.pid);
        await using trips = await RoundTrips.start(gateway);
        await using slow = await SlowReader.set(gateway, role, kind, {
          frameBytes,
          totalBytes: 1024 * MIB,
        });
        await gateway.resetPeakResident();
        const quiet = await gateway.residentBytes();
        const pushing = slow.push();
        const tookMs = await trips.measureWhile(pushing);
        const seconds = await pushing;
        const grown = await gateway.peakResidentBytes() - quiet;
        await report(
          `resident memory: ${what}`,
          `${(grown / MIB).toFixed(1)} MiB more than before, limit ${2 * LIMIT / MIB} MiB; ` +
            `over in ${seconds.toFixed(2)} s, meanwhile round trips of others ` +
            `p50 ${median(tookMs).toFixed(2)} ms, p99 ${percentile(tookMs, 0.99).toFixed(2)} ms`,
        );
        assert.ok(grown <= 2 * LIMIT, `it grew by ${grown} bytes`);
        // Otherwise nothing was kept for it at all, and nothing is shown.
        assert.ok(grown >= LIMIT / 2, `it grew by ${grown} bytes only`);
        await slow.assertClosed();
      }));
  }
}

for (const { role, kind } of PEERS) {
  const [rounds, totalBytes] = full ? [7, 1024 * MIB] : [9, 256 * MIB];
  const what = `round trips of others while a gigabit a second goes to a ${role} (${kind}) that ` +
    "does not read";
  Deno.test(`${what} stay within twice their idle p99`, () =>
    withGateway({}, async (gateway) => {
      await using _first = await first(gateway.pid, Deno.pid);
      await using trips = await RoundTrips.start(gateway);
      // In turn, each round by itself: on a shared machine one that was disturbed says nothing.
      const p99s: { idle: number; busy: number }[] = [];
      const rates: number[] = [];
      for (let round = 0; round < rounds; round++) {
        await using slow = await SlowReader.set(gateway, role, kind, {
          frameBytes: 64 * KIB,
          totalBytes,
          bytesPerSecond: GIGABIT,
        });
        const forMs = role === "executor" ? CLOSED_SOON_MS : totalBytes / GIGABIT * 1000;
        const idle = percentile(await trips.measure(forMs), 0.99);
        const pushing = slow.push();
        p99s.push({ idle, busy: percentile(await trips.measure(forMs), 0.99) });
        await pushing;
        rates.push(await slow.bytesPerSecond());
        await slow.assertClosed();
      }
      const times = median(p99s.map(({ idle, busy }) => busy / idle));
      const rate = median(rates);
      await report(
        `p99 of ${what}`,
        `${times.toFixed(2)} times idle (${median(p99s.map(({ busy }) => busy)).toFixed(2)} over ` +
          `${
            median(p99s.map(({ idle }) => idle)).toFixed(2)
          } ms, median of ${rounds} rounds), limit 2; sent at ${(rate * 8 / 1e6).toFixed()} Mbit/s`,
      );
      assert.ok(rate >= 0.8 * GIGABIT, `it was sent at ${rate} bytes a second only`);
      assert.ok(times <= 2, `${times} times`);
    }));
}
