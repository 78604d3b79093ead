/**
 * `deno task soak`: hundreds of executors and bridges come and go, in order and not; afterwards every
 * byte is accounted for, and the gateway's memory and open files are back where they were.
 *
 * @module
 */
// deno-lint-ignore-file no-console -- this program speaks on the console
import type { StoreOptions } from "../../src/store/store.ts";
import { Random } from "../fuzz/random.ts";
import { runProgram } from "../support/command_line.ts";
import { createDatabase } from "../support/databases.ts";
import { Totals } from "./accounts.ts";
import { Api } from "./api.ts";
import { ApiClient } from "./api_client.ts";
import { calm, storm, withBooks } from "./cycle.ts";
import { startGateway } from "./gateway.ts";
import { GatewayLog } from "./gateway_log.ts";
import { killTheGateway } from "./killed.ts";
import { type Options, readOptions, USAGE } from "./options.ts";
import { embody, populate } from "./population.ts";
import { measure } from "./resources.ts";
import { ResourceTrend } from "./resource_trend.ts";
import { conclude, type Outcome, printCycle } from "./summary.ts";
import { World } from "./world.ts";

/** How many clients of the API there are. */
const CLIENTS = 4;

/** How long the storm of a cycle is, in seconds: a warm-up and three cycles fit a minute. */
const SHORTEST_STORM_S = 9;
const LONGEST_STORM_S = 40;
const CYCLES = 5;

/** How long one has to be that what takes half a minute may happen in it, in seconds. */
const LONG_STORM_S = 20;

/** A slow machine goes on for longer: without cycles after the warm-up, which is two, nothing can be compared. */
const FEWEST_CYCLES = 4;

if (import.meta.main) {
  Deno.exit(await runProgram(Deno.args, { readOptions, usage: USAGE, run: main }));
}

async function main(options: Options): Promise<number> {
  console.log(`seed ${options.seed}, ${options.minutes} minutes of load`);
  const database = await createDatabase(options.postgres);
  try {
    return await soak(options, database.options);
  } finally {
    await database.dispose();
  }
}

async function soak(options: Options, database: StoreOptions): Promise<number> {
  const { seed, minutes } = options;
  const identities = await populate(database, new Random(seed, "identities"), options.executors);
  using api = new Api();
  const world = new World(seed, await startGateway(database), api);
  using _pace = world.pace;
  using log = new GatewayLog(world);
  try {
    world.executors = embody(world, identities);
    const clients = Array.from({ length: CLIENTS }, (_, i) => new ApiClient(world, i));
    const trend = new ResourceTrend(await measure(world));
    const totals = new Totals();
    const seconds = Math.min(
      LONGEST_STORM_S,
      Math.max(SHORTEST_STORM_S, minutes * 60 / CYCLES - 6),
    );
    world.hasTime = seconds >= LONG_STORM_S;
    const until = performance.now() + minutes * 60_000;
    do {
      const load = { seconds, bridges: options.bridges, clients };
      const stormy = await withBooks(world, log, false, () => storm(world, load));
      const exact = await withBooks(world, log, true, () => calm(world));
      totals.addAll(stormy);
      totals.addAll(exact);
      trend.add(await measure(world));
      printCycle(trend, stormy, exact, world);
    } while (performance.now() < until || trend.cycles.length < FEWEST_CYCLES);
    await trend.settle(world);
    trend.judge(world, options.postgres !== undefined);
    const backMs = await killTheGateway(world, database, clients, log);
    totals.addAll(await withBooks(world, log, true, () => calm(world)));
    const outcome: Outcome = { options, totals, trend, backMs };
    return await conclude(world, outcome);
  } finally {
    await world.gateway[Symbol.asyncDispose]();
  }
}
