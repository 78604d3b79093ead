import { parseArgs } from "node:util";
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
  const name = Object.keys(COMMANDS).find((name) => `${args[0]} ${args[1]}` === name);
  if (name === undefined) return usage(args);
  try {
    const command = COMMANDS[name]!;
    const { values, positionals } = parse(args.slice(2), command.options);
    if (values.help) print(usageOf(name) + COMMON_USAGE.trimEnd());
    else await command.run(values, positionals);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      complain(`${name}: ${error.message}\nSee: ${programName()} ${name} --help`);
      return 2;
    }
    if (error instanceof CommandError) {
      complain(`${name}: ${error.message}`);
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
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
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
    (help ? print : complain)(usageOf("serve").trimEnd());
    return help ? 0 : 2;
  }
  complain(`there is no command ${args.slice(0, 2).join(" ")}\n\n${usageOf("").trimEnd()}`);
  return 2;
}
