/**
 * What harnesses do, from the ordinary to the hostile: each way to end a bridge, and how often.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Random } from "../fuzz/random.ts";
import { capToken } from "./api.ts";
import { badFirstFrame, noFrame } from "./bad_frames.ts";
import type { Kind } from "./executor.ts";
import type { Harness } from "./harness.ts";
import { sleep } from "./signal.ts";
import { Socket } from "./socket.ts";
import type { Limits } from "./world.ts";

/** The limits that the soak's gateway runs with, small enough to be met. */
export const LIMITS: Limits = { maxBuffered: 1024 * 1024, maxFrame: 1024 * 1024 };

/** The largest frame to or from a Noise executor (protocol.md section 5). */
const MAX_NOISE_FRAME = 256 * 1024;

/**
 * How soon a revoked turn's bridge must have read why it was closed, in milliseconds. Excused is how
 * long the soak's own event loop stood still, and how long `/healthz`, asked at the same time, took.
 */
const REVOKED_MS = 1_000;

/** How long a revocation of the soak's holds, in seconds: it is pruned while the soak runs. */
const REVOCATION_S = 45;

/** What a peer that does not read is sent until it is closed, and at most, in bytes. */
const CHUNK = 64 * 1024;
const MAX_FLOOD = 64 * 1024 * 1024;

/** One way in which a bridge goes. */
interface Plan {
  readonly name: string;
  readonly weight: number;
  /** Absent where it is for every kind. */
  readonly kinds?: readonly Kind[];
  /** Leaves the bridge ended. */
  run(harness: Harness): Promise<void>;
}

const STREAMED: readonly Kind[] = ["relay", "noise"];

const PLANS: readonly Plan[] = [
  { name: "drains and closes", weight: 50, run: drainAndClose },
  { name: "closes in the middle", weight: 10, run: closeInTheMiddle },
  { name: "vanishes in the middle", weight: 12, run: (harness) => vanishInTheMiddle(harness) },
  { name: "is revoked in the middle", weight: 10, run: beRevoked },
  { name: "sends what is no frame", weight: 3, run: sendGarbage },
  { name: "sends a frame over the limit", weight: 3, run: sendTooLarge },
  { name: "reads too slowly", weight: 1.5, kinds: ["text", ...STREAMED], run: readTooSlowly },
  { name: "has an executor that reads too slowly", weight: 0.7, run: floodExecutor },
  { name: "sends text to a relay executor", weight: 2, kinds: STREAMED, run: misfit },
  { name: "begins with a bad frame", weight: 2, kinds: STREAMED, run: beginBadly },
];

/** Goes through one of the plans, on a bridge that was just opened. */
export async function goThroughAPlan(harness: Harness): Promise<void> {
  const { random, exe, world } = harness;
  const plan = pick(random, exe.kind);
  world.count(`plan: ${plan.name}`);
  await plan.run(harness);
}

/** Talks, waits for all of it to come back, and closes. */
export async function drainAndClose(harness: Harness): Promise<void> {
  const { random } = harness;
  const manner = {
    messages: random.below(80),
    bad: random.chance(0.3) ? 0.1 : 0,
    slow: random.chance(0.1),
  };
  if (!await harness.start(random.chance(0.1))) return await harness.untilEnded();
  if (await harness.talk(manner) && await harness.drain() && random.chance(0.3)) {
    harness.resetStreams();
  }
  await harness.close();
}

async function closeInTheMiddle(harness: Harness): Promise<void> {
  if (await harness.start()) await harness.talk({ messages: harness.random.below(60), bad: 0.05 });
  await harness.close();
}

async function vanishInTheMiddle(harness: Harness, garbage?: Uint8Array): Promise<void> {
  if (await harness.start()) await harness.talk({ messages: harness.random.below(60), bad: 0.05 });
  harness.vanish(garbage);
  await harness.untilEnded();
}

async function sendGarbage(harness: Harness): Promise<void> {
  await vanishInTheMiddle(harness, noFrame(harness.random));
}

async function beRevoked(harness: Harness): Promise<void> {
  const { world, random, book, exe } = harness;
  if (!await harness.start()) return await harness.untilEnded();
  const talking = harness.talk({ messages: 2_000 });
  await sleep(random.below(400));
  if (harness.isOpen) {
    const ending = { code: 1008, reason: "the turn was revoked" };
    harness.expect(ending);
    const askedAt = book.revokedAt = performance.now();
    const busy = world.pace.probe(world);
    await world.api.expect(world, 204, {
      method: "POST",
      route: "/api/exec-gateway/revoke-turn",
      body: { turn_id: book.turnId, exp: Math.floor(Date.now() / 1000) + REVOCATION_S },
    });
    await harness.untilEnded();
    const tookMs = performance.now() - askedAt;
    const excusedMs = world.pace.stalledSince(askedAt) + await busy;
    if (book.endedWith === `${ending.code} ${ending.reason}`) {
      world.revokedMs.push(tookMs);
      if (tookMs - excusedMs > REVOKED_MS) {
        harness.breach(
          `read of its revocation after ${tookMs} ms, ${excusedMs} ms of them excused`,
        );
      }
    }
    const token = await capToken(world.gateway, exe.exeId, book.turnId);
    const path = `/bridge/${exe.exeId}`;
    const again = await Socket.open(`${world.gateway.wsUrl}${path}?token=${token}`, IGNORE);
    if (again instanceof Socket) {
      harness.breach("was opened again after its turn had been revoked");
      again.vanish();
    } else {
      world.ledger.noteRefusal("/bridge/:exe_id", again.status);
      if (again.status !== 401) harness.breach(`was answered ${again.status} after its revocation`);
    }
  }
  await talking;
  await harness.untilEnded();
}

async function sendTooLarge(harness: Harness): Promise<void> {
  const { random, exe, socket, book } = harness;
  if (!await harness.start()) return await harness.untilEnded();
  await harness.talk({ messages: random.below(20) });
  const forNoise = exe.kind === "noise" && random.chance(0.5);
  const reason = forNoise ? "frame over 256 KiB" : "frame too large";
  harness.expect({ code: 1009, reason });
  const size = 1 + (forNoise ? MAX_NOISE_FRAME : LIMITS.maxFrame);
  const message = exe.kind === "text" ? "x".repeat(size) : Buffer.alloc(size);
  if (socket!.send(message) && forNoise) book.bad.add("too_large");
  await harness.untilEnded();
}

async function readTooSlowly(harness: Harness): Promise<void> {
  const { random, exe, socket, book, world } = harness;
  if (!await harness.start()) return await harness.untilEnded();
  await harness.talk({ messages: random.below(10) });
  harness.expect({ code: 1013, reason: "reading too slowly" });
  socket!.stopReading();
  // Its executor is told before it is, since it does not read.
  const isOver = () =>
    book.connection?.end !== undefined || book.executorLeft !== undefined ||
    (book.streams.length > 0 && book.streams.every(({ resetBy }) => resetBy !== undefined));
  for (let sent = 0; harness.isOpen && !isOver() && sent < MAX_FLOOD; sent += CHUNK) {
    if (exe.pendingBytes > 4 * CHUNK) await book.changed.until(() => isOver(), 20);
    else harness.sendMessage(CHUNK);
  }
  await book.changed.until(isOver, 10_000);
  if (harness.isOpen && !isOver()) harness.breach("may read as slowly as it likes");
  // One whose close frame came before it stopped has yet to read that its connection has ended.
  if (random.chance(0.3) && harness.isOpen) harness.vanish();
  else socket!.goOnReading();
  // It has megabytes to read before it comes to the close frame.
  await harness.untilEnded(30_000);
  if (book.endedWith?.startsWith("1013")) world.count("slow readers above the limit");
}

async function floodExecutor(harness: Harness): Promise<void> {
  const { exe, socket, connection, world } = harness;
  if (!await harness.start()) return await harness.untilEnded();
  await harness.talk({ messages: 2 });
  if (!await harness.drain() || connection !== harness.book.connection || connection.leaving) {
    return await harness.close();
  }
  connection.leaving = true;
  connection.expect({ code: 1013, reason: "reading too slowly" });
  exe.happened({ code: 1013, reason: "the executor reads too slowly" });
  connection.socket.stopReading();
  harness.book.drained = false;
  for (let sent = 0; harness.isOpen && sent < MAX_FLOOD; sent += CHUNK) {
    harness.sendMessage(CHUNK);
    // What it has not sent yet fills no buffer of the gateway's.
    while (harness.isOpen && socket!.buffered > 8 * CHUNK) await sleep(2);
    await sleep(0);
  }
  if (harness.isOpen) harness.breach("its executor may read as slowly as it likes");
  connection.socket.goOnReading();
  await harness.untilEnded();
  if (harness.book.endedWith?.startsWith("1013")) world.count("slow executors above the limit");
}

async function misfit(harness: Harness): Promise<void> {
  const { exe, socket, book } = harness;
  const release = exe.kind === "noise"
    ? "0.142 or later, pointed at it by registry URL"
    : "0.131 to 0.140, with role=harness in its URL";
  harness.expect({ code: 1003, reason: `this executor needs a harness of codex ${release}` });
  if (socket!.send('{"jsonrpc":"2.0"}')) book.bad.add("text_frame");
  await harness.untilEnded();
}

async function beginBadly(harness: Harness): Promise<void> {
  const { random, socket, book } = harness;
  const { message, reason, closedFor } = badFirstFrame(random);
  harness.expect({ code: 1002, reason: closedFor });
  if (socket!.send(message)) book.bad.add(reason);
  await harness.untilEnded();
}

const IGNORE = { onOpen() {}, onMessage() {}, onClose() {} };

function pick(random: Random, kind: Kind): Plan {
  const plans = PLANS.filter(({ kinds }) => kinds === undefined || kinds.includes(kind));
  let point = random.uint32() / 2 ** 32 * plans.reduce((sum, { weight }) => sum + weight, 0);
  return plans.find(({ weight }) => (point -= weight) < 0) ?? plans[0]!;
}
