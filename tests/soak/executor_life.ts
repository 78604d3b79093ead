/**
 * How executors live: they dial in, serve for a while, and go in one of several ways, again and again.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Random } from "../fuzz/random.ts";
import { frame } from "../support/relay.ts";
import { badFromExecutor, noFrame } from "./bad_frames.ts";
import { Connection } from "./connection.ts";
import type { Executor } from "./executor.ts";
import { LIMITS } from "./harness_ends.ts";
import { sleep } from "./signal.ts";
import type { Phase } from "./world.ts";

/** One way in which a connection goes. */
interface Plan {
  readonly name: string;
  readonly weight: number;
  /** Returns the connection that took its place, if one did. */
  run(connection: Connection, random: Random): Promise<Connection | void>;
}

const PLANS: readonly Plan[] = [
  { name: "leaves when its bridges have ended", weight: 40, run: (one) => one.leave() },
  { name: "closes in the middle", weight: 12, run: (one) => one.hangUp() },
  { name: "vanishes in the middle", weight: 18, run: (one) => one.vanish() },
  { name: "sends what is no frame", weight: 4, run: (one, random) => one.vanish(noFrame(random)) },
  { name: "sends a frame over the limit", weight: 4, run: sendTooLarge },
  { name: "is replaced by a second connection", weight: 16, run: replace },
];

/** Comes and goes until the phase is over, and then leaves. */
export async function live(executor: Executor, random: Random, phase: Phase): Promise<void> {
  const { world } = executor;
  await world.pace.pause(random, 1_000);
  while (!phase.over) {
    let connection: Connection | void = await dial(executor, random);
    while (connection !== undefined) connection = await serve(connection, random, phase);
    await world.pace.pause(random, 600);
  }
}

/** Dials in; anything but success is a breach. */
export async function dial(executor: Executor, random: Random): Promise<Connection | undefined> {
  const { world, kind, exeId } = executor;
  try {
    const connection = await executor.dial(random);
    if (connection instanceof Connection) return connection;
    world.breaches.note(`${kind} executor ${exeId} was refused with ${connection}`);
  } catch (error) {
    world.breaches.note(`${kind} executor ${exeId} could not dial in: ${error}`);
  }
}

/** A frame that is for no stream: it is dropped, and answered with a Reset. */
export function sendGhost(connection: Connection): void {
  const id = `ghost-${crypto.randomUUID()}`;
  const message = frame(id, "data", new Uint8Array(50));
  if (!connection.socket.send(message)) return;
  connection.ghosts.add(id);
  connection.sent.add(message.length);
}

/** A frame that must be dropped and counted. */
export function sendBad(connection: Connection, random: Random): void {
  const { reason, message } = badFromExecutor(random);
  if (connection.socket.send(message)) connection.bad.add(reason);
}

async function serve(
  connection: Connection,
  random: Random,
  phase: Phase,
): Promise<Connection | void> {
  const { exe } = connection;
  const until = performance.now() + 1_000 + random.below(12_000);
  const isOver = () => !connection.isOpen || connection.leaving || phase.over;
  while (!isOver() && performance.now() < until) {
    await connection.changed.until(isOver, 200 + random.below(1_000));
    if (isOver()) break;
    if (!exe.isExclusive && random.chance(0.15)) sendBad(connection, random);
    if (!exe.isExclusive && random.chance(0.1)) sendGhost(connection);
    if (random.chance(0.05)) await stopReading(connection, random);
  }
  if (connection.leaving || phase.over) return await connection.leave();
  if (!connection.isOpen) return;
  const plan = pick(random);
  exe.world.count(`executor ${plan.name}`);
  return await plan.run(connection, random);
}

/** Reads nothing for a while: less is on its way to it than may wait. */
async function stopReading(connection: Connection, random: Random): Promise<void> {
  connection.exe.world.count("slow executors below the limit");
  connection.socket.stopReading();
  await sleep(100 + random.below(1_000));
  connection.socket.goOnReading();
}

async function sendTooLarge(connection: Connection): Promise<void> {
  const { exe, socket } = connection;
  // An exclusive one without a bridge is not closed for it, since no bridge is there to take it.
  if (exe.isExclusive) return await connection.leave();
  connection.leaving = true;
  connection.expect({ code: 1009, reason: "frame too large" });
  exe.happened({ code: 1009, reason: "the executor sent a frame that is too large" });
  connection.markLeft("cut");
  socket.send(Buffer.alloc(LIMITS.maxFrame + 1));
  await connection.untilClosed();
}

async function replace(connection: Connection, random: Random): Promise<Connection | void> {
  const { exe } = connection;
  if (!exe.mayReplace()) return await connection.leave();
  connection.leaving = true;
  connection.expect({ code: 1008, reason: "replaced by a newer connection" });
  exe.happened({ code: 1001, reason: "executor dialled in anew" });
  connection.mayLose("cut");
  const successor = await dial(exe, random);
  if (successor === undefined) return await connection.leave();
  await connection.untilClosed();
  return successor;
}

function pick(random: Random): Plan {
  let point = random.uint32() / 2 ** 32 * PLANS.reduce((sum, { weight }) => sum + weight, 0);
  return PLANS.find(({ weight }) => (point -= weight) < 0) ?? PLANS[0]!;
}
