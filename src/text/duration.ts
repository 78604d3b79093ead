/** Seconds of each unit. */
const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/**
 * Reads a duration as Go writes it, in whole seconds: `90s`, `2m`, `1h30m`; days (`7d`) too, which Go does
 * not have.
 *
 * @returns seconds, at least 1; `undefined` when it is no such duration
 */
export function parseDuration(text: string): number | undefined {
  if (!/^(?:\d{1,9}[dhms])+$/.test(text)) return undefined;
  let seconds = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+)([dhms])/g)) {
    seconds += Number(amount) * UNIT_SECONDS[unit!]!;
  }
  return seconds === 0 ? undefined : seconds;
}

/** Writes a duration in its largest whole unit: `7d`, `90m`, `45s`. */
export function formatDuration(seconds: number): string {
  for (const [unit, size] of Object.entries(UNIT_SECONDS).reverse()) {
    if (seconds % size === 0) return `${seconds / size}${unit}`;
  }
  return `${seconds}s`;
}
