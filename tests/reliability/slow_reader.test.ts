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

/**
 * How much more may be resident, in MiB, whatever one sender sends to a peer that takes nothing. Of each
 * further sender the runtime holds a frame that is being put together, and one that is handed over.
 */
const LIMIT_MIB = 8;
const FRAMES_OF_A_FURTHER_SENDER = 2;

/** What a command prints for a harness that reads, but slowly. */
const MB_READ_SLOWLY = full ? 300 : 100;

/** How long each look at the others is, in milliseconds. */
const ROUND_MS = full ? 8_000 : 2_000;

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
    Deno.test(`${what} is held back, and costs next to nothing`, () =>
      withGateway({}, async (gateway) => {
        await using _first = await first(gateway.pid, Deno.pid);
        await using trips = await RoundTrips.start(gateway);
        await using slow = await SlowReader.set(gateway, role, kind, {
          frameBytes,
          totalBytes: 1024 * MIB,
        });
        await gateway.resetPeakResident();
        const quiet = await gateway.residentBytes();
        await slow.begin();
        const tookMs = await trips.measureWhile(slow.untilHeld());
        const grownMib = (await gateway.peakResidentBytes() - quiet) / MIB;
        const further = slow.pushers.length - 1;
        const limitMib = LIMIT_MIB + further * FRAMES_OF_A_FURTHER_SENDER * frameBytes / MIB;
        await report(
          `resident memory: ${what}`,
          `${grownMib.toFixed(1)} MiB more than before, limit ${limitMib} MiB; meanwhile round ` +
            `trips of others p50 ${median(tookMs).toFixed(2)} ms, p99 ` +
            `${percentile(tookMs, 0.99).toFixed(2)} ms`,
        );
        assert.ok(grownMib <= limitMib, `it grew by ${grownMib} MiB`);
        if (full) await slow.assertClosed();
      }));
  }
}

for (const kind of ["exclusive", "relay"] as const) {
  const what = `${MB_READ_SLOWLY} MB in frames of 8 KiB for a harness (${kind}) that reads slowly`;
  Deno.test(`${what} arrive, and cost little memory`, () =>
    withGateway({}, async (gateway) => {
      await using slow = await SlowReader.set(gateway, "harness", kind, {
        frameBytes: 8 * KIB,
        totalBytes: MB_READ_SLOWLY * 1e6,
      });
      await gateway.resetPeakResident();
      const quiet = await gateway.residentBytes();
      const reading = setInterval(() => {
        slow.stuck.resumeReading();
        setTimeout(() => slow.stuck.stopReading(), 10);
      }, 100);
      try {
        await slow.begin();
        await slow.pushers[0]!.event("sent");
      } finally {
        clearInterval(reading);
      }
      const held = await gateway.metric('cxg_held_seconds_total{side="executor"}');
      const grownMib = (await gateway.peakResidentBytes() - quiet) / MIB;
      await report(`resident memory: ${what}`, `${grownMib.toFixed(1)} MiB more, limit 64 MiB`);
      assert.ok(held > 0, "nobody was held");
      assert.ok(grownMib <= 64, `it grew by ${grownMib} MiB`);
    }));
}

for (const { role, kind } of PEERS) {
  const rounds = full ? 7 : 5;
  const what = `round trips of others while a ${role} (${kind}) that does not read is held for`;
  Deno.test(`${what} stay within 1.5 times their idle p99`, () =>
    withGateway({}, async (gateway) => {
      await using _first = await first(gateway.pid, Deno.pid);
      await using trips = await RoundTrips.start(gateway);
      // In turn, each round by itself: on a shared machine one that was disturbed says nothing.
      const p99s: { idle: number; busy: number }[] = [];
      for (let round = 0; round < rounds; round++) {
        await using slow = await SlowReader.set(gateway, role, kind, {
          frameBytes: 64 * KIB,
          totalBytes: 1024 * MIB,
        });
        const idle = percentile(await trips.measure(ROUND_MS), 0.99);
        await slow.begin();
        await slow.untilHeld();
        p99s.push({ idle, busy: percentile(await trips.measure(ROUND_MS), 0.99) });
      }
      const times = median(p99s.map(({ idle, busy }) => busy / idle));
      await report(
        `p99 of ${what}`,
        `${times.toFixed(2)} times idle (${median(p99s.map(({ busy }) => busy)).toFixed(2)} over ` +
          `${median(p99s.map(({ idle }) => idle)).toFixed(2)} ms, median of ${rounds} rounds), ` +
          "limit 1.5",
      );
      assert.ok(times <= 1.5, `${times} times`);
    }));
}
