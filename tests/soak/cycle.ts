/**
 * The two kinds of load: a storm, in which everything happens, and a calm, in which every sum must be
 * exact.
 *
 * @module
 */
import type { Random } from "../fuzz/random.ts";
import { Actors } from "./actors.ts";
import { audit, type Samples, type Totals } from "./accounts.ts";
import type { ApiClient } from "./api_client.ts";
import { Ledger } from "./books.ts";
import type { Connection } from "./connection.ts";
import { dial, live, sendBad, sendGhost } from "./executor_life.ts";
import type { GatewayLog } from "./gateway_log.ts";
import { Harness } from "./harness.ts";
import { endInOrder, goThroughAPlan } from "./harness_ends.ts";
import { untilQuiet } from "./resources.ts";
import { liveShortly } from "./short_lives.ts";
import { sleep } from "./signal.ts";
import { beRefused, vanishInHandshake } from "./strangers.ts";
import { Phase, type World } from "./world.ts";

/** How many there are of those who are neither executor nor ordinary harness. */
const SHORT_LIVES = 2;
const STRANGERS = 2;

/** Everything at once, for so many seconds. */
export async function storm(
  world: World,
  { seconds, bridges, clients }: { seconds: number; bridges: number; clients: ApiClient[] },
): Promise<void> {
  const phase = new Phase();
  const executorPhase = new Phase();
  const lives = new Actors(
    world,
    "executors",
    world.executors.map((executor) => live(executor, world.random("executor"), executorPhase)),
  );
  const times = (count: number, actor: () => Promise<void>) => Array.from({ length: count }, actor);
  using _probing = world.pace.probeOnAndOn(world);
  const others = new Actors(world, "harnesses and clients", [
    ...times(bridges, () => comeAndGo(world, phase)),
    ...times(SHORT_LIVES, () => liveShortly(world, phase)),
    ...times(STRANGERS, () => beRefused(world, phase)),
    vanishInHandshake(world, phase),
    scrapeOnAndOn(world, phase),
    ...clients.map((client) => client.run(phase)),
  ]);
  await sleep(seconds * 1_000);
  phase.over = true;
  await others.finished();
  executorPhase.over = true;
  await lives.finished();
}

/** Every executor once, each with bridges that end in order. */
export async function calm(world: World): Promise<void> {
  const random = world.random("calm");
  const dialled = await Promise.all(world.executors.map((executor) => dial(executor, random)));
  const connections = dialled.filter((connection) => connection !== undefined);
  // All of them are known to the gateway before the first bridge comes.
  await sleep(500);
  for (const connection of connections) sendToNobody(connection, random);
  for (const connection of connections) {
    const answered = () => connection.ghostResets === connection.ghosts.size;
    if (!await connection.changed.until(answered, 10_000)) {
      connection.breach(`has ${connection.ghosts.size} ghosts, ${connection.ghostResets} answered`);
    }
  }
  await sleep(500);
  const bridges = connections.flatMap((connection) =>
    Array.from({ length: connection.exe.isExclusive ? 1 : 2 }, async () => {
      const harness = await Harness.open(world, world.random("calm harness"), connection);
      if (harness !== undefined) await endInOrder(harness);
    })
  );
  await new Actors(world, "calm bridges", bridges).finished();
  const leaving = connections.map((connection) => connection.leave());
  await new Actors(world, "calm executors", leaving).finished();
}

/**
 * Runs a load with books of its own, and closes them when all is quiet.
 *
 * @param exact see {@linkcode audit}
 */
export async function withBooks(
  world: World,
  log: GatewayLog,
  exact: boolean,
  load: () => Promise<void>,
): Promise<Totals> {
  world.ledger = new Ledger(world.ledger.lastId);
  log.reset();
  for (const executor of world.executors) executor.reset();
  const before: Samples = await world.api.scrape(world);
  await load();
  const after = await untilQuiet(world);
  await log.untilComplete(world.ledger);
  return audit(world, world.ledger, log, { before, after, exact });
}

/** One bridge after another, each going through a plan. */
async function comeAndGo(world: World, phase: Phase): Promise<void> {
  const random = world.random("harness");
  await world.pace.pause(random, 2_000);
  while (!phase.over) {
    const connection = pickFree(world, random);
    const harness = connection && await Harness.open(world, random, connection);
    if (harness !== undefined) await goThroughAPlan(harness);
    await world.pace.pause(random, 300);
  }
}

function pickFree({ executors }: World, random: Random): Connection | undefined {
  const start = random.below(executors.length);
  for (let i = 0; i < executors.length; i++) {
    const { connection } = executors[(start + i) % executors.length]!;
    if (connection?.isFree) return connection;
  }
}

/** Counters only grow. */
async function scrapeOnAndOn(world: World, phase: Phase): Promise<void> {
  let before: Samples = new Map();
  while (!phase.over) {
    const samples = await world.api.scrape(world);
    for (const [name, value] of before) {
      const grew = !/_total\b/.test(name) || (samples.get(name) ?? -1) >= value;
      world.breaches.unless(grew, () => `${name} went from ${value} to ${samples.get(name)}`);
    }
    before = samples;
    world.notePeak(samples);
    await sleep(500);
  }
}

function sendToNobody(connection: Connection, random: Random): void {
  if (connection.exe.isExclusive) {
    const message = connection.exe.kind === "text" ? "to nobody" : new Uint8Array(99);
    if (connection.socket.send(message)) connection.sent.add(message.length);
    return;
  }
  for (let i = 0; i < 3; i++) {
    sendBad(connection, random);
    sendGhost(connection);
  }
}
