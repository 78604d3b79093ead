/** What differs between codex releases in how each side is started. */
import type { CodexLine } from "../../../src/cli/codex_lines.ts";
import { minorOf } from "../../../src/cli/releases.ts";

/**
 * The line, of those that the gateway prints, that is for a release.
 *
 * @param version a release such as `"0.130.0"`
 * @throws Error when there is none
 */
export function lineFor(version: string, lines: readonly CodexLine[]): string {
  const minor = minorOf(version);
  const found = lines.find(({ from, to }) =>
    minor >= minorOf(from) && (to === undefined || minor <= minorOf(to))
  );
  if (found === undefined) throw new Error(`no line is for codex ${version}`);
  return found.line;
}

/** Whether a release's executor takes no API key from another machine's gateway but by loopback. */
export function needsLoopback(version: string): boolean {
  return minorOf(version) >= 133;
}
