/** What differs between codex releases in how each side is started. */
import type { CodexLine } from "../../../src/cli/codex_lines.ts";
import { minorOf, type ReleaseRange } from "../../../src/cli/releases.ts";

/**
 * What is for a release, of what is for ranges of them.
 *
 * @param version a release such as `"0.130.0"`
 * @throws Error when there is nothing
 */
export function forRelease<For extends ReleaseRange>(version: string, ranges: readonly For[]): For {
  const minor = minorOf(version);
  const found = ranges.find(({ from, to }) =>
    minor >= minorOf(from) && (to === undefined || minor <= minorOf(to))
  );
  if (found === undefined) throw new Error(`nothing is for codex ${version}`);
  return found;
}

/** The line that is for a release, of those that the gateway prints. */
export function lineFor(version: string, lines: readonly CodexLine[]): string {
  return forRelease(version, lines).line;
}
