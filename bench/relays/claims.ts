/**
 * What is promised of the figures: ratios, each of two things measured in the same run.
 *
 * @module
 */
import { median } from "../figures.ts";
import { type Cell, FEW_BRIDGES, MANY_BRIDGES } from "./cells.ts";
import type { Figures } from "./load_generator.ts";
import { describe, type RelaysRun } from "./run.ts";
import type { TargetName } from "./target.ts";

/** A promise, and how it went. */
export interface Claim {
  readonly what: string;
  readonly limit: number;
  /** Under each load that it is about. */
  readonly ratios: readonly { readonly where: string; readonly ratio: number }[];
  readonly held: boolean;
}

const KIB = 1024;

/** Judges a run. A promise that nothing was measured for is left out. */
export function judge(run: RelaysRun): readonly Claim[] {
  const compare = (
    what: string,
    limit: number,
    [one, other]: readonly [TargetName, TargetName],
    where: (cell: Cell) => boolean,
  ) => {
    const cells = run.results
      .filter(({ cell, target }) => target === one && cell.bridges === FEW_BRIDGES && where(cell))
      .map(({ cell }) => cell);
    return claim(what, limit, cells.map((cell) => [describe(cell), ratio(run, cell, one, other)]));
  };
  return [
    ...(["exclusive", "relay"] as const).map((kind) =>
      compare(`${kind} bridge over the other build's`, 1.03, [kind, `${kind}-beside`], () => true)
    ),
    compare("exclusive bridge over bare Deno relay", 1.15, ["exclusive", "deno"], () => true),
    compare(
      "exclusive bridge over Go relay, from 1 KiB",
      0.7,
      ["exclusive", "go"],
      ({ bytes }) => bytes >= KIB,
    ),
    compare(
      "exclusive bridge over nginx as it comes, from 64 KiB",
      1.3,
      ["exclusive", "nginx"],
      ({ bytes }) => bytes >= 64 * KIB,
    ),
    compare(
      "relay bridge over exclusive bridge at 1 KiB",
      1.3,
      ["relay", "exclusive"],
      ({ bytes }) => bytes === KIB,
    ),
    compare(
      "relay bridge over exclusive bridge at 64 KiB",
      1.1,
      ["relay", "exclusive"],
      ({ bytes }) => bytes === 64 * KIB,
    ),
    claim(
      `a round trip at ${MANY_BRIDGES} bridges over one at ${FEW_BRIDGES}`,
      1.25,
      (["exclusive", "relay"] as const).flatMap((target) => growth(run, target)),
    ),
  ].filter(({ ratios }) => ratios.length > 0);
}

/**
 * CPU of a round trip, one target over another under the same load: the median of the rounds' ratios,
 * since the two of a round ran one right after the other.
 *
 * @returns `undefined` when one was not measured
 */
export function ratio(
  run: RelaysRun,
  cell: Cell,
  one: TargetName,
  other: TargetName,
): number | undefined {
  return pairedRatio(cpuOf(run, cell, one), cpuOf(run, cell, other));
}

/** CPU of a round trip, in microseconds. */
export function cpuMicros({ cpuSeconds, roundTrips }: Figures): number {
  return cpuSeconds / roundTrips * 1e6;
}

function cpuOf(run: RelaysRun, cell: Cell, target: TargetName): readonly number[] {
  const found = run.results.find((result) => result.target === target && same(result.cell, cell));
  return (found?.rounds ?? []).map(cpuMicros);
}

function growth(run: RelaysRun, target: TargetName): [string, number | undefined][] {
  return run.results
    .filter((result) => result.target === target && result.cell.bridges === MANY_BRIDGES)
    .map(({ cell }) => {
      const few = cpuOf(run, { ...cell, bridges: FEW_BRIDGES }, target);
      return [`${target}, ${describe(cell)}`, pairedRatio(cpuOf(run, cell, target), few)];
    });
}

function pairedRatio(ones: readonly number[], others: readonly number[]): number | undefined {
  const rounds = Math.min(ones.length, others.length);
  if (rounds === 0) return undefined;
  return median(ones.slice(0, rounds).map((value, i) => value / others[i]!));
}

function claim(
  what: string,
  limit: number,
  measured: readonly (readonly [string, number | undefined])[],
): Claim {
  const ratios = measured.flatMap(([where, ratio]) =>
    ratio === undefined ? [] : [{ where, ratio }]
  );
  return { what, limit, ratios, held: ratios.every(({ ratio }) => ratio <= limit) };
}

function same(a: Cell, b: Cell): boolean {
  return a.bridges === b.bridges && a.bytes === b.bytes && a.text === b.text &&
    a.inFlight === b.inFlight;
}
