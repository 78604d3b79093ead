/**
 * Harnesses and executors that read slowly: whoever sends to them is held, and nothing is lost; who reads
 * nothing at all for half a minute is closed.
 *
 * @module
 */
import { sleep } from "./signal.ts";
import type { Connection } from "./connection.ts";
import type { Random } from "../fuzz/random.ts";
import type { Harness } from "./harness.ts";
import type { Socket } from "./socket.ts";

/** What a slow reader is sent at a time and at most, in bytes: more than the kernel's buffers hold. */
const CHUNK = 64 * 1024;
const MAX_FILL = 48 * 1024 * 1024;

/** What waits at a sender that is held, in bytes. */
const HELD = 512 * 1024;

/** How long that may take, in milliseconds. */
const FILL_MS = 20_000;

/** For how long nothing is read, and for how long only a little now and then, in milliseconds. */
const PAUSE_MS = { least: 500, spread: 3_000 };

/** How little: what comes within so long is read, and so long there is a pause, in milliseconds. */
const SIP_MS = 2;
const BETWEEN_SIPS_MS = 150;

/** How long the gateway takes to close who reads nothing, at the most, in milliseconds. */
const CLOSED_MS = 60_000;

/** How somebody reads for a while. */
type Manner = (socket: Socket, random: Random) => Promise<void>;

/** Nothing. */
export async function readNothing(_socket: Socket, random: Random): Promise<void> {
  await sleep(PAUSE_MS.least + random.below(PAUSE_MS.spread));
}

/** A little, now and then. */
export async function dribble(socket: Socket, random: Random): Promise<void> {
  const end = performance.now() + PAUSE_MS.least + random.below(PAUSE_MS.spread);
  while (performance.now() < end) {
    socket.goOnReading();
    await sleep(SIP_MS);
    socket.stopReading();
    await sleep(random.below(BETWEEN_SIPS_MS));
  }
}

/**
 * Reads slowly until its executor is held and for a while then, and after that everything.
 *
 * @param mayVanish whether it may vanish instead
 */
export async function readSlowly(
  harness: Harness,
  manner: Manner,
  mayVanish = true,
): Promise<void> {
  const { random, socket, world } = harness;
  await takeTurn(harness, async (connection) => {
    socket!.stopReading();
    if (await fill(harness, connection.socket)) world.count("executors held for a harness");
    await manner(socket!, random);
    if (mayVanish && random.chance(0.15)) return harness.vanish();
    socket!.goOnReading();
    await harness.drain();
  });
}

/** Its executor reads slowly until the harness is held and for a while then, and after that everything. */
export async function haveSlowExecutor(harness: Harness, manner: Manner): Promise<void> {
  const { random, socket, world } = harness;
  await takeTurn(harness, async (connection) => {
    connection.socket.stopReading();
    if (await fill(harness, socket!)) world.count("harnesses held for an executor");
    await manner(connection.socket, random);
    connection.socket.goOnReading();
    await harness.drain();
  });
}

/** Never reads again: it is closed. */
export async function neverReadOn(harness: Harness): Promise<void> {
  const { random, socket, book, world } = harness;
  await takeTurn(harness, async (connection) => {
    harness.expect({ code: 1013, reason: "reading too slowly" });
    socket!.stopReading();
    await fill(harness, connection.socket);
    // Its executor is told before it is, since it does not read.
    const isOver = () =>
      book.connection?.end !== undefined || book.executorLeft !== undefined ||
      (book.streams.length > 0 && book.streams.every(({ resetBy }) => resetBy !== undefined));
    if (!await poll(isOver)) harness.breach("may read nothing for ever");
    if (random.chance(0.3)) harness.vanish();
    else socket!.goOnReading();
    await harness.untilEnded();
    if (book.endedWith?.startsWith("1013")) world.count("harnesses closed that read nothing");
  });
}

/** Its executor never reads again: that is closed, and the harness told. */
export async function haveDeafExecutor(harness: Harness): Promise<void> {
  const { exe, book, world } = harness;
  await takeTurn(harness, async (connection) => {
    if (connection.leaving || !await harness.drain()) return;
    connection.leaving = true;
    connection.expect({ code: 1013, reason: "reading too slowly" });
    exe.happened({ code: 1013, reason: "the executor reads too slowly" });
    connection.mayLose("cut");
    connection.socket.stopReading();
    book.drained = false;
    await fill(harness, harness.socket!);
    if (!await poll(() => !harness.isOpen)) {
      harness.breach("its executor may read nothing for ever");
    }
    connection.socket.goOnReading();
    await harness.untilEnded();
    if (book.endedWith?.startsWith("1013")) world.count("executors closed that read nothing");
  });
}

/**
 * Talks a little and then is slow, or has a slow executor, unless another of its executor's bridges is: the
 * others there wait for it, and what they wait must stay within bounds. Closes it afterwards.
 */
async function takeTurn(
  harness: Harness,
  beSlow: (connection: Connection) => Promise<void>,
): Promise<void> {
  const { random, book } = harness;
  const isUp = await harness.start() && await harness.talk({ messages: 1 + random.below(10) });
  const connection = book.connection ?? harness.connection;
  if (!isUp || connection.hasSlow) {
    await harness.drain();
  } else {
    connection.hasSlow = true;
    try {
      await beSlow(connection);
    } finally {
      connection.hasSlow = false;
    }
  }
  await harness.close();
}

/** Sends until so much waits at the one who sends to the slow one that it must be held; returns whether it is. */
async function fill(harness: Harness, sender: Socket): Promise<boolean> {
  const { exe, book, socket } = harness;
  const isHeld = () => sender.buffered > HELD;
  const deadline = performance.now() + FILL_MS;
  for (let sent = 0; sent < MAX_FILL && performance.now() < deadline && harness.isOpen;) {
    if (isHeld()) return true;
    // What the executor is to send back has to come to it first.
    if (sender !== socket && exe.pendingBytes > 4 * CHUNK) {
      await book.changed.until(isHeld, 20);
      continue;
    }
    harness.sendMessage(CHUNK);
    sent += CHUNK;
    await sleep(0);
  }
  return isHeld();
}

/** Waits for something that may come from anywhere. */
async function poll(condition: () => boolean): Promise<boolean> {
  const deadline = performance.now() + CLOSED_MS;
  while (!condition()) {
    if (performance.now() > deadline) return false;
    await sleep(50);
  }
  return true;
}
