/**
 * What the command line prints: the result on standard output, complaints on standard error.
 *
 * @module
 */
import { oneLine } from "../text/one_line.ts";

const encoder = new TextEncoder();

/** Prints text and a line break on standard output. */
export function print(text: string): void {
  writeAll(Deno.stdout, `${text}\n`);
}

/** Prints a value for programs, as JSON on one line. */
export function printJson(value: unknown): void {
  print(oneLine(JSON.stringify(value)));
}

/** Prints text and a line break on standard error. */
export function complain(text: string): void {
  writeAll(Deno.stderr, `${text}\n`);
}

/** The person asked for what is not there: exit code 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** The command could not be done; the message says why: exit code 1. */
export class CommandError extends Error {
  override name = "CommandError";
}

function writeAll(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = encoder.encode(text);
  try {
    for (let written = 0; written < bytes.length;) written += to.writeSync(bytes.subarray(written));
  } catch (error) {
    // Whoever read it has gone, as `head` does: there is nobody to complain to.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
