// deno-lint-ignore-file no-console -- this is what the soak says
import { report } from "../reliability/support/figures.ts";
import type { Totals } from "./accounts.ts";
import type { Options } from "./options.ts";
import { mib, type ResourceTrend } from "./resource_trend.ts";
import type { World } from "./world.ts";

/** A run of so many minutes is at the whole scale. */
const FULL_MINUTES = 10;

/** What a run came to. */
export interface Outcome {
  readonly options: Options;
  readonly totals: Totals;
  readonly trend: ResourceTrend;
  /** How long the executors took to be back after the gateway had been killed, in milliseconds. */
  readonly backMs: number;
}

/** Prints how a cycle went. */
export function printCycle(
  { cycles }: ResourceTrend,
  stormy: Totals,
  exact: Totals,
  { breaches, pace }: World,
): void {
  const { residentBytes, handles, databaseFiles } = cycles.at(-1)!;
  const name = cycles.length === 1 ? "warm-up" : `cycle ${cycles.length - 1}`;
  console.log(
    `${name.padEnd(9)} ${stormy.bridges} + ${exact.bridges} bridges, ` +
      `${stormy.sent.frames + stormy.back.frames} + ${
        exact.sent.frames + exact.back.frames
      } frames; ` +
      `${mib(residentBytes)}, ${handles} handles, ${databaseFiles} files of the database; ` +
      `pace ${pace.factor.toFixed(1)}; ${breaches.count} breaches`,
  );
}

/**
 * Prints the tables, keeps the figures, and says what was checked.
 *
 * @returns the exit code
 */
export async function conclude(world: World, outcome: Outcome): Promise<number> {
  const { breaches } = world;
  console.log("\nWhat happened");
  for (const [what, count] of [...world.tally].sort()) {
    console.log(`  ${what.padEnd(70)} ${String(count).padStart(8)}`);
  }
  const { options, totals } = outcome;
  console.log("\nWhat came of it");
  const where = options.postgres === undefined ? "embedded" : "PostgreSQL";
  for (const [what, figure] of figures(world, outcome)) {
    await report(`Soak, ${where}: ${what}`, figure, options.minutes >= FULL_MINUTES);
  }
  if (breaches.count > 0) {
    console.error(`\n${breaches.count} BREACHES, the first of them:`);
    for (const breach of breaches.first) console.error(`  ${breach}`);
    console.error(`seed ${options.seed}`);
    return 1;
  }
  console.log(
    `\nseed ${options.seed}: no promise broken. Checked: each of ${
      totals.received.frames + totals.home.frames
    } frames byte by byte, in order, at its own peer; the sums of ${totals.bridges} bridges and ` +
      `${totals.connections} executors' connections against /metrics and the log; every close code; ` +
      "every refusal; listings; 1008 within 1 s of a revocation; no 500 and no error logged; " +
      "gauges at 0, open files and memory back where they were; no executor lost by SIGKILL.",
  );
  return 0;
}

function figures(world: World, outcome: Outcome): (readonly [string, string])[] {
  const { totals, trend, backMs, options } = outcome;
  const { breaches, pace, peak, revokedMs } = world;
  const { sent, received, back, home, unknown } = totals;
  const slowestFirst = revokedMs.toSorted((a, b) => b - a);
  const [slowest = 0, most = 0] = [
    slowestFirst[0],
    slowestFirst[Math.floor(revokedMs.length / 100)],
  ];
  const plain = (value: number) => Math.round(value).toLocaleString("en");
  return [
    ["load", `${options.minutes} min, seed ${options.seed}`],
    ["at once, at most", `${peak.executors} executors, ${peak.bridges} bridges`],
    [
      "came and went",
      `${plain(totals.bridges)} bridges, ${plain(totals.connections)} executors' connections`,
    ],
    [
      "frames sent",
      `${plain(sent.frames + back.frames)} (${mib(sent.bytes + back.bytes)}), ` +
      `received ${plain(received.frames + home.frames)}`,
    ],
    [
      "frames not received, each of a bridge that had ended",
      plain(sent.frames + back.frames - received.frames - home.frames),
    ],
    [
      "of them, on their way to a peer that cut its connection",
      `${plain(unknown.frames)} at most (${
        (100 * unknown.frames / (sent.frames + back.frames)).toFixed(2)
      }% of all)`,
    ],
    ["bridges whose every frame had to arrive, and did", plain(totals.complete)],
    ["frames dropped and counted", plain(totals.dropped)],
    [
      "a revoked bridge reads 1008 within",
      `${plain(most)} ms, 99 of 100; ${plain(slowest)} ms, the slowest of ${revokedMs.length}`,
    ],
    [
      "resident memory",
      [
        `${mib(trend.atStart.residentBytes)} at first`,
        `${mib(trend.warm.residentBytes)} after the warm-up`,
        `${mib(trend.atEnd.residentBytes)} at the end`,
      ].join(", "),
    ],
    [
      "open sockets and other handles",
      `${trend.atStart.handles} at first, ${trend.atEnd.handles} at the end, and ` +
      `${trend.atEnd.keptByRuntime} that the runtime keeps of harnesses that vanished in their handshake`,
    ],
    ["all executors back after SIGKILL and a start", `${plain(backMs)} ms`],
    [
      "slowest answer of /healthz; longest stall of the soak's own event loop",
      `${plain(pace.worstProbeMs)} ms; ${plain(pace.worstMs)} ms`,
    ],
    ["promises broken", plain(breaches.count)],
  ];
}
