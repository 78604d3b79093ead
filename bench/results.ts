/**
 * `.cache/bench.json`: what was measured last, part by part.
 *
 * @module
 */
import type { ColdStartRun } from "./cold_start.ts";
import type { ConnectRun } from "./connect.ts";
import type { Claim } from "./relays/claims.ts";
import type { RelaysRun } from "./relays/run.ts";
import type { ScaleRun } from "./scale/run.ts";
import type { TlsRun } from "./tls/run.ts";

const FILE = new URL("../.cache/bench.json", import.meta.url);

/** The parts; each is of one run of its own. */
export interface Results {
  readonly connect?: ConnectRun;
  readonly relays?: { readonly run: RelaysRun; readonly claims: readonly Claim[] };
  readonly tls?: TlsRun;
  readonly scale?: ScaleRun;
  readonly coldStart?: ColdStartRun;
}

/** What was measured last; nothing when nothing was. */
export async function readResults(): Promise<Results> {
  try {
    return JSON.parse(await Deno.readTextFile(FILE));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    throw error;
  }
}

/** Keeps the parts that were measured now beside the others of before. */
export async function writeResults(measured: Results): Promise<void> {
  const results = { ...await readResults(), ...measured };
  await Deno.mkdir(new URL(".", FILE), { recursive: true });
  await Deno.writeTextFile(FILE, `${JSON.stringify(results)}\n`);
}
