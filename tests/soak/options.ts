import { parseArgs } from "node:util";

/** What a run is told. */
export interface Options {
  /** How long there is load, in minutes. */
  readonly minutes: number;
  readonly seed: number;
  /** A server to make a database of its own on; the embedded one when absent. */
  readonly postgres?: string;
  readonly executors: number;
  readonly bridges: number;
}

export const USAGE = `deno task soak [options]

  --minutes N     how long there is load (default 1); setting up and settling come on top
  --seed N        the same seed makes the same plans (default: a new one, printed); which of them
                  meet is up to the machine
  --postgres URL  on a database of its own on this server (default: the embedded database)
  --executors N   how many executors come and go (default 240)
  --bridges N     how many harnesses do (default 300)`;

/** @throws {Error} when an option is unknown or no number */
export function readOptions(args: string[]): Options | "help" {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: "string", default: "1" },
      seed: { type: "string", default: `${crypto.getRandomValues(new Uint32Array(1))[0]}` },
      postgres: { type: "string" },
      executors: { type: "string", default: "240" },
      bridges: { type: "string", default: "300" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const number = (name: "minutes" | "seed" | "executors" | "bridges") => {
    const value = Number(values[name]);
    const fits = values[name] !== "" && value >= 0 &&
      (Number.isInteger(value) || (name === "minutes" && Number.isFinite(value)));
    if (!fits) throw new Error(`--${name} must be a number`);
    return value;
  };
  const executors = number("executors");
  if (executors < 12) throw new Error("--executors must be at least 12: three of each kind");
  return {
    minutes: number("minutes"),
    seed: number("seed"),
    postgres: values.postgres,
    executors,
    bridges: number("bridges"),
  };
}
