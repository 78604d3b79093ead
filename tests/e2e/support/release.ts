/** What differs between codex releases in how each side is started. */

/** How a release's harness and executor talk: see the protocol's tables of clients. */
export type Dialect = "text" | "relay" | "noise";

/**
 * The dialect of a release.
 *
 * @param version a release such as `"0.130.0"`
 */
export function dialectOf(version: string): Dialect {
  if (isBefore(version, 131)) return "text";
  return isBefore(version, 142) ? "relay" : "noise";
}

/** Whether `codex exec-server` of a release takes `--environment-id` and an API key. */
export function takesEnvironmentId(version: string): boolean {
  return !isBefore(version, 133);
}

function isBefore(version: string, minor: number): boolean {
  const parts = /^0\.(\d+)\.\d+$/.exec(version);
  if (!parts) throw new Error(`not a codex release: ${version}`);
  return Number(parts[1]) < minor;
}
