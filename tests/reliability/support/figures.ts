import { full } from "./scale.ts";

/** Where the figures are kept until they are written into the docs. */
export const FILE = new URL("../../../.cache/reliability.jsonl", import.meta.url);

/** A figure that a reliability test measured. */
export interface Figure {
  /** What was measured; a row of the table in docs/reliability.md. */
  readonly what: string;
  readonly figure: string;
  /** Whether it was measured at full scale. */
  readonly full: boolean;
  /** When, in ISO 8601. */
  readonly at: string;
}

/**
 * Prints a figure, and keeps it for the table in docs/reliability.md.
 *
 * @param atFullScale whether it was measured at full scale; by default as `--full` says
 */
export async function report(what: string, figure: string, atFullScale = full): Promise<void> {
  const line: Figure = { what, figure, full: atFullScale, at: new Date().toISOString() };
  await Deno.mkdir(new URL(".", FILE), { recursive: true });
  await Deno.writeTextFile(FILE, `${JSON.stringify(line)}\n`, { append: true });
  // deno-lint-ignore no-console
  console.log(`${what}: ${figure}`);
}
