import { parseArgs } from "node:util";
import config from "../../deno.json" with { type: "json" };
import { nearest } from "../text/nearest.ts";
import { oneLine } from "../text/one_line.ts";
import { VariableError } from "../env/variables.ts";
import { COMMANDS } from "./commands.ts";
import { CommandError, complain, print, UsageError } from "./output.ts";
import { programName } from "./program_name.ts";
import { COMMON_USAGE, usageOf } from "./usage.ts";

const COMMON_OPTIONS = {
  url: { type: "string" },
  ca: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/**
 * Runs one admin command.
 *
 * @param args the words after the program's name
 * @returns the exit code: 0 done, 1 it failed, 2 wrong usage
 */
export async function runCommand(args: string[]): Promise<number> {
  const name = Object.keys(COMMANDS).find((name) =>
    name === args.slice(0, name.split(" ").length).join(" ")
  );
  if (name === undefined) return usage(args);
  try {
    const command = COMMANDS[name]!;
    const { values, positionals } = parse(args.slice(name.split(" ").length), command.options);
    if (values.help) print(usageOf(name) + COMMON_USAGE.trimEnd());
    else await command.run(values, positionals);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      complain(`${name}: ${oneLine(error.message)}\nSee: ${programName()} ${name} --help`);
      return 2;
    }
    if (error instanceof CommandError || error instanceof VariableError) {
      complain(`${name}: ${oneLine(error.message)}`);
      return 1;
    }
    throw error;
  }
}

function parse(args: string[], options: (typeof COMMANDS)[string]["options"]) {
  try {
    return parseArgs({
      args,
      options: { ...options, ...COMMON_OPTIONS },
      allowPositionals: true,
    });
  } catch (error) {
    throw new UsageError(withNearestOption(error, { ...options, ...COMMON_OPTIONS }));
  }
}

/** What is wrong with the options, and which one may have been meant. */
function withNearestOption(error: unknown, options: Readonly<Record<string, unknown>>): string {
  const message = error instanceof Error ? error.message : String(error);
  const [, unknown] = /Unknown option '--([^']+)'/.exec(message) ?? [];
  if (unknown === undefined) return message;
  const like = nearest(unknown, Object.keys(options));
  return `there is no option --${unknown}${like === undefined ? "" : `; did you mean --${like}?`}`;
}

/** The program's help, or what is wrong with the words that name no command. */
function usage(args: string[]): number {
  const [word] = args;
  if (word === undefined || word === "--help" || word === "-h" || word === "help") {
    print(usageOf("").trimEnd());
    return 0;
  }
  if (word === "serve") {
    const help = args[1] === "--help" || args[1] === "-h";
    (help ? print : complain)(
      `${usageOf("serve").trimEnd()}${help ? "" : "\nTo run it from a clone: deno task -q start"}`,
    );
    return help ? 0 : 2;
  }
  if (word === "--version" || word === "version") {
    print(`codex-exec-gateway ${config.version} (deno ${Deno.version.deno})`);
    return 0;
  }
  const group = Object.keys(COMMANDS).filter((name) => name.startsWith(`${word} `));
  const given = args.slice(0, group.length > 0 ? 2 : 1).filter((each) => !each.startsWith("-"));
  if (group.length > 0 && given.length === 1) {
    print(`${word}:\n${group.map((name) => `  ${programName()} ${name} --help`).join("\n")}`);
    return 0;
  }
  const like = nearest(
    given.join(" "),
    group.length > 0 ? group : [...Object.keys(COMMANDS), "serve", "join"],
  );
  complain(
    `there is no command ${given.join(" ")}${
      like === undefined ? "" : `; did you mean ${like}?`
    }\n` +
      `See: ${programName()} --help`,
  );
  return 2;
}
