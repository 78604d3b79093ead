import type { Extent } from "./relays/cells.ts";
import { type TargetName, TARGETS } from "./relays/target.ts";

/** The parts of `deno task bench`. */
export const PARTS = ["connect", "relays", "tls", "scale", "cold-start"] as const;

/** What of it is to run. */
export interface BenchOptions {
  readonly parts: readonly typeof PARTS[number][];
  readonly extent: Extent;
  /** All when absent. */
  readonly targets?: readonly TargetName[];
  /** The directory of another build. */
  readonly beside?: string;
}

/** What is wrong with the arguments. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** What `--help` prints. */
export const USAGE =
  `deno task bench [--only PART,...] [--quick | --all] [--targets TARGET,...] [--beside DIRECTORY]

  --only      of ${PARTS.join(", ")}
  --quick     three minutes: what the promises are about, once
  --all       every size with every number of bridges, text and binary: an hour
  --targets   of ${TARGETS.join(", ")}
  --beside    another checkout of the gateway, measured in the same run`;

/** @throws {UsageError} */
export function parseOptions(args: readonly string[]): BenchOptions {
  let parts: BenchOptions["parts"] = PARTS;
  let extent: Extent = "usual";
  let targets: readonly TargetName[] | undefined;
  let beside: string | undefined;
  for (let i = 0; i < args.length; i++) {
    if (args[i] === "--quick") extent = "quick";
    else if (args[i] === "--all") extent = "all";
    else if (args[i] === "--only") parts = oneOrMore(PARTS, args[++i]);
    else if (args[i] === "--targets") targets = oneOrMore(TARGETS, args[++i]);
    else if (args[i] === "--beside") beside = directory(args[++i]);
    else throw new UsageError(`no argument ${args[i]}`);
  }
  return { parts, extent, targets, beside };
}

function oneOrMore<T extends string>(known: readonly T[], list = ""): readonly T[] {
  const names = list.split(",");
  const found = known.filter((name) => names.includes(name));
  if (found.length !== names.length) throw new UsageError(`${list} is not of ${known.join(", ")}`);
  return found;
}

function directory(path: string | undefined): string {
  if (path === undefined) throw new UsageError("--beside wants a directory");
  try {
    return Deno.realPathSync(path);
  } catch {
    throw new UsageError(`there is no ${path}`);
  }
}
