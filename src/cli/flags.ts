/**
 * What every command has: its flags, and the gateway that they name.
 *
 * @module
 */
import { parseDuration } from "../text/duration.ts";
import { Gateway } from "./gateway.ts";
import { UsageError } from "./output.ts";

/** The values of a command's flags, as `node:util` `parseArgs` gives them. */
export type Flags = Readonly<Record<string, string | boolean | string[] | undefined>>;

/** A command: the flags it takes besides the common ones, and what it does. */
export interface Command {
  readonly options: Readonly<
    Record<string, { type: "string" | "boolean"; multiple?: boolean }>
  >;
  run(flags: Flags, positionals: string[]): Promise<void>;
}

/** The gateway that `--url` and `--ca` name, or the one of this data directory. */
export function gatewayOf(flags: Flags): Gateway {
  return new Gateway({ url: text(flags, "url"), caFile: text(flags, "ca") });
}

/** A flag's text; `undefined` when it is not there. */
export function text(flags: Flags, name: string): string | undefined {
  const value = flags[name];
  return typeof value === "string" ? value : undefined;
}

/** @throws {UsageError} when the flag is not there, or empty */
export function required(flags: Flags, name: string): string {
  const value = text(flags, name);
  if (!value) throw new UsageError(`--${name} is required`);
  return value;
}

/**
 * The words after the command.
 *
 * @param names what each is, for the complaint that it is missing
 * @throws {UsageError} when there are fewer or more
 */
export function words<Names extends string[]>(
  positionals: readonly string[],
  ...names: Names
): { [Index in keyof Names]: string } {
  const missing = names[positionals.length];
  if (missing !== undefined) throw new UsageError(`${missing} is required`);
  if (positionals.length > names.length) {
    throw new UsageError(`unexpected argument: ${positionals[names.length]}`);
  }
  return [...positionals] as { [Index in keyof Names]: string };
}

/** Seconds of a flag that is a duration such as 90s, 15m, 1h30m or 2d. */
export function duration(flags: Flags, name: string): number | undefined {
  const given = text(flags, name);
  if (given === undefined) return undefined;
  const seconds = parseDuration(given);
  if (seconds === undefined) {
    throw new UsageError(`--${name} must be a duration such as 90s, 15m, 1h or 2d, not ${given}`);
  }
  return seconds;
}

/** The path of a workspace in the API. */
export function workspacePath(workspace: string): string {
  return `/api/codex-exec/workspaces/${encodeURIComponent(workspace)}`;
}
