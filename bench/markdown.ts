/**
 * What was measured, as Markdown, for the terminal and for docs/performance.md.
 *
 * @module
 */
import type { ColdStartRun } from "./cold_start.ts";
import type { ConnectRun } from "./connect.ts";
import { figuresMarkdown, grid, median, number } from "./figures.ts";
import { type Claim, cpuMicros } from "./relays/claims.ts";
import type { Figures } from "./relays/load_generator.ts";
import { describe, type RelaysRun, type Result } from "./relays/run.ts";
import { TARGETS, TITLES } from "./relays/target.ts";
import type { Results } from "./results.ts";
import type { ScaleRun } from "./scale/run.ts";
import type { TlsRun } from "./tls/run.ts";

/** How a figure of a result is written. */
type Writer = (result: Result) => string;

const MIB = 2 ** 20;

/** Connecting a bridge. */
export function connectMarkdown({ at, connects, figures }: ConnectRun): string {
  return [
    `Connect of a bridge, ${connects} in turn with a bare upgrade (${dayOf(at)}):\n`,
    figuresMarkdown(figures),
  ].join("\n");
}

/** What TLS adds to an echo. */
export function tlsMarkdown({ at, echoes, figures }: TlsRun): string {
  return [
    `\`deno task bench --only tls\` on ${dayOf(at)}, ${echoes} echoes of each in turn:\n`,
    figuresMarkdown(figures),
  ].join("\n");
}

/** Starting the gateway. */
export function coldStartMarkdown({ at, runs, figures }: ColdStartRun): string {
  return [
    `\`deno task start\` to the first \`/healthz\`, median of ${runs} (${dayOf(at)}):\n`,
    figuresMarkdown(figures),
  ].join("\n");
}

/** Many executors. */
export function scaleMarkdown({ at, database, figures }: ScaleRun): string {
  return [
    `\`deno task bench --only scale\` on ${dayOf(at)}, the gateway on ${database}:\n`,
    figuresMarkdown(figures),
  ].join("\n");
}

/** The gateway beside its peers. */
export function relaysMarkdown({ run, claims }: Required<Results>["relays"]): string {
  const table = (title: string, write: Writer) => `${title}:\n\n${figuresTable(run, write)}`;
  return [
    preamble(run),
    claimsTable(claims),
    table("CPU of the target for a round trip, µs (per cent of it in the kernel)", cpu),
    table(
      "Time of a round trip, p50 / p99, µs",
      ({ rounds }) =>
        `${number(middle(rounds, ({ p50Micros }) => p50Micros))} / ${
          number(middle(rounds, ({ p99Micros }) => p99Micros))
        }`,
    ),
    table("Round trips a second (MiB a second, each way)", ({ cell, rounds }) => {
      const rate = middle(rounds, ({ roundTrips, seconds }) => roundTrips / seconds);
      return `${number(rate)} (${number(rate * cell.bytes / MIB)})`;
    }),
    table(
      "Peak resident memory, MiB",
      ({ rounds }) => number(middle(rounds, ({ peakBytes }) => peakBytes / MIB)),
    ),
    ...run.failures.map((failure) => `Failed: ${failure}\n`),
  ].join("\n");
}

function preamble(run: RelaysRun): string {
  const { at, extent, rounds, milliseconds, cores, database, versions } = run;
  const option = extent === "usual" ? "" : ` --${extent}`;
  return `\`deno task bench --only relays${option}\` on ${
    dayOf(at)
  }, ${cores} cores, the gateway ` +
    `on ${database}; medians of ${rounds} rounds of ${milliseconds} ms. ${versions.join("; ")}.\n`;
}

function dayOf(at: string): string {
  return at.slice(0, 10);
}

/** The promises, each with its worst load. */
function claimsTable(claims: readonly Claim[]): string {
  const rows = claims.map(({ what, limit, ratios, held }) => {
    const worst = ratios.toSorted((a, b) => b.ratio - a.ratio)[0]!;
    const broken = ratios.filter(({ ratio }) => ratio > limit).length;
    const verdict = held ? "held" : `NOT held (${broken} of ${ratios.length} loads)`;
    return [
      what,
      `≤ ${limit}`,
      number(median(ratios.map(({ ratio }) => ratio))),
      `${number(worst.ratio)}: ${worst.where}`,
      verdict,
    ];
  });
  return grid(["CPU of a round trip", "Promise", "Median load", "Worst load", ""], rows);
}

function figuresTable(run: RelaysRun, write: Writer): string {
  const targets = TARGETS.filter((name) => run.results.some(({ target }) => target === name));
  const rows = new Map<string, Map<string, string>>();
  for (const result of run.results) {
    const name = describe(result.cell);
    const row = rows.get(name) ?? new Map();
    rows.set(name, row.set(result.target, write(result)));
  }
  return grid(
    ["", ...targets.map((name) => TITLES[name])],
    [...rows].map(([name, row]) => [name, ...targets.map((target) => row.get(target) ?? "")]),
  );
}

function cpu({ rounds }: Result): string {
  const user = rounds.reduce((sum, { userSeconds }) => sum + userSeconds, 0);
  const system = rounds.reduce((sum, { systemSeconds }) => sum + systemSeconds, 0);
  return `${number(middle(rounds, cpuMicros))} (${Math.round(100 * system / (user + system))})`;
}

function middle(rounds: readonly Figures[], of: (figures: Figures) => number): number {
  return median(rounds.map(of));
}
