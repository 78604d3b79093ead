import { parseArgs } from "node:util";

/** What a run is told. */
export interface Options {
  seed: number;
  inputs: number;
  seconds: number;
  /** One target instead of all. */
  only?: string;
  /** The number of each target's first input. */
  from: number;
}

export const USAGE = `deno task fuzz [options]

  --seed N      the same seed makes the same inputs (default: a new one, printed)
  --inputs N    how many inputs (default 1000000)
  --seconds N   stop after so long, whatever is left (default: no limit)
  --only NAME   one target: tokens, tickets, frames, paths, bodies, http, sockets
  --from N      begin at this input of the target (default 0): with --only and --inputs 1, the input
                that a run has failed at`;

/** @throws {Error} when an option is unknown or no number */
export function readOptions(args: string[]): Options | "help" {
  const { values } = parseArgs({
    args,
    options: {
      seed: { type: "string", default: `${crypto.getRandomValues(new Uint32Array(1))[0]}` },
      inputs: { type: "string", default: "1000000" },
      seconds: { type: "string", default: "Infinity" },
      only: { type: "string" },
      from: { type: "string", default: "0" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const number = (name: "seed" | "inputs" | "seconds" | "from") => {
    const value = Number(values[name]);
    const fits = values[name] !== "" && value >= 0 &&
      (Number.isInteger(value) || name === "seconds");
    if (!fits) throw new Error(`--${name} must be a whole number`);
    return value;
  };
  return {
    seed: number("seed"),
    inputs: number("inputs"),
    seconds: number("seconds"),
    only: values.only,
    from: number("from"),
  };
}
