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
import {
  dribble,
  haveDeafExecutor,
  haveSlowExecutor,
  neverReadOn,
  readNothing,
  readSlowly,
} from "./slow_readers.ts";
import { Socket } from "./socket.ts";
import type { Limits } from "./world.ts";

/**
 * The limits that the soak's gateway runs with: the one for frames small enough to be met, the other only so
 * small that a sender is held at a quarter of it (`wire.ts`), and each of a full executor's harnesses may send
 * what it was sending.
 */
export const LIMITS: Limits = { maxBuffered: 4 * 1024 * 1024, maxFrame: 1024 * 1024 };

/** The largest frame to or from a Noise executor (protocol.md section 5). */
const MAX_NOISE_FRAME = 256 * 1024;

/**
 * How soon a revoked turn's bridge must have read why it was closed, in milliseconds. Excused is how
 * long the soak's own event loop stood still, and how long `/healthz`, asked at the same time, took.
 */
const REVOKED_MS = 1_000;

/** How long a revocation of the soak's holds, in seconds: it is pruned while the soak runs. */
const REVOCATION_S = 45;

/** One way in which a bridge goes. */
interface Plan {
  readonly name: string;
  readonly weight: number;
  /** Absent where it is for every kind. */
  readonly kinds?: readonly Kind[];
  /** Whether it takes half a minute, for which a short storm has no time. */
  readonly takesLong?: boolean;
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
  { name: "reads nothing for a while", weight: 1, run: (one) => readSlowly(one, readNothing) },
  { name: "dribbles for a while", weight: 1, run: (one) => readSlowly(one, dribble) },
  {
    name: "has an executor that reads nothing for a while",
    weight: 0.7,
    run: (one) => haveSlowExecutor(one, readNothing),
  },
  {
    name: "has an executor that dribbles for a while",
    weight: 0.7,
    run: (one) => haveSlowExecutor(one, dribble),
  },
  {
    name: "never reads on",
    weight: 0.7,
    kinds: ["text", ...STREAMED],
    takesLong: true,
    run: neverReadOn,
  },
  {
    name: "has an executor that never reads on",
    weight: 0.4,
    takesLong: true,
    run: haveDeafExecutor,
  },
  { name: "sends text to a relay executor", weight: 2, kinds: STREAMED, run: misfit },
  { name: "begins with a bad frame", weight: 2, kinds: STREAMED, run: beginBadly },
];

/** Goes through one of the plans, on a bridge that was just opened. */
export async function goThroughAPlan(harness: Harness): Promise<void> {
  const { random, exe, world } = harness;
  const plan = pick(random, exe.kind, world.hasTime);
  world.count(`plan: ${plan.name}`);
  harness.plan = plan.name;
  await plan.run(harness);
}

/** Goes through one of the plans in which nothing may be lost. */
export async function endInOrder(harness: Harness): Promise<void> {
  const { random } = harness;
  const manner = random.chance(0.5) ? readNothing : dribble;
  if (random.chance(0.1)) return await readSlowly(harness, manner, false);
  if (random.chance(0.1)) return await haveSlowExecutor(harness, manner);
  await drainAndClose(harness);
}

/** Talks, waits for all of it to come back, and closes. */
async function drainAndClose(harness: Harness): Promise<void> {
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

function pick(random: Random, kind: Kind, hasTime: boolean): Plan {
  const plans = PLANS.filter(({ kinds, takesLong }) =>
    (kinds === undefined || kinds.includes(kind)) && (hasTime || !takesLong)
  );
  let point = random.uint32() / 2 ** 32 * plans.reduce((sum, { weight }) => sum + weight, 0);
  return plans.find(({ weight }) => (point -= weight) < 0) ?? plans[0]!;
}
