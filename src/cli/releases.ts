/**
 * Ranges of codex releases.
 *
 * @module
 */

/** From one release on, up to and with another one; without that, and all later ones. */
export interface ReleaseRange {
  /** Such as `0.137.0`. */
  readonly from: string;
  readonly to?: string;
}

/** The newest release that was tried: what a machine without a codex of its own is given. */
export const NEWEST_TRIED = "0.171.0";

/** As a person says it: `codex 0.137 to 0.167`. */
export function sayReleases({ from, to }: ReleaseRange): string {
  const first = short(from);
  if (to === undefined) return `codex ${first} and later`;
  return first === short(to) ? `codex ${first}` : `codex ${first} to ${short(to)}`;
}

/** The second number of a release, by which ranges differ: 137 of `0.137.0`. */
export function minorOf(release: string): number {
  return Number(release.split(".")[1]);
}

function short(release: string): string {
  return release.split(".").slice(0, 2).join(".");
}
