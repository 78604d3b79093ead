// deno-lint-ignore-file no-console
/** The middle of a sorted copy. */
export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** The value below which the fraction `p` of the values lies. */
export function percentile(values: readonly number[], p: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * p)]!;
}

/** Prints one figure beside its limit. */

export function report(what: string, value: number, unit: string, limit?: number): void {
  const verdict = limit === undefined
    ? ""
    : `   (at most ${limit} ${unit}: ${value <= limit ? "held" : "NOT HELD"})`;
  console.log(`  ${what.padEnd(58)} ${value.toFixed(3).padStart(9)} ${unit}${verdict}`);
}
