/**
 * Those who are refused, and those who go before they are answered.
 *
 * @module
 */
import { encodeHex } from "../../src/auth/base64url.ts";
import type { Random } from "../fuzz/random.ts";
import { capToken } from "./api.ts";
import type { Connection } from "./connection.ts";
import { type Handlers, Socket } from "./socket.ts";
import type { Phase, World } from "./world.ts";

/** How long the end of a bridge may take to reach its harness, in milliseconds. */
const CLOSING_MS = 1_000;

/** Where one comes from who guesses registration tokens. */
const GUESSER = "192.0.2.1";

const IGNORE: Handlers = { onOpen() {}, onMessage() {}, onClose() {} };

/** Tries what must be refused, until the phase is over. */
export async function beRefused(world: World, phase: Phase): Promise<void> {
  const random = world.random("strangers");
  const tries = [
    wrongToken,
    otherExecutor,
    unknownExecutor,
    guess,
    noToken,
    noWebSocket,
    secondBridge,
  ];
  while (!phase.over) {
    await random.pick(tries)(world, random);
    world.count("strangers refused");
    await world.pace.pause(random, 100);
  }
}

/** Begins bridges and goes before the answer, until the phase is over. */
export async function vanishInHandshake(world: World, phase: Phase): Promise<void> {
  const random = world.random("vanishing");
  while (!phase.over) {
    const { exeId } = random.pick(world.executors.filter(({ kind }) => kind === "relay"));
    const token = await capToken(world.gateway, exeId, `turn_${crypto.randomUUID()}`);
    const tcp = await Deno.connect({ hostname: "127.0.0.1", port: world.gateway.port });
    world.ledger.abandoned++;
    world.count("harnesses that vanish in their handshake");
    world.vanishedFrom.add((tcp.localAddr as Deno.NetAddr).port);
    await tcp.write(new TextEncoder().encode(
      `GET /bridge/${exeId}?token=${token} HTTP/1.1\r\nHost: x\r\n` +
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    ));
    tcp.close();
    await world.pace.pause(random, 400);
  }
}

async function wrongToken(world: World, random: Random): Promise<void> {
  const { exeId } = random.pick(world.executors);
  await refused(world, "/bridge/:exe_id", `/bridge/${exeId}?token=wrong`, [401]);
}

async function otherExecutor(world: World, random: Random): Promise<void> {
  const { exeId } = random.pick(world.executors);
  const token = await capToken(world.gateway, `${exeId}x`, "turn_stranger");
  await refused(world, "/bridge/:exe_id", `/bridge/${exeId}?token=${token}`, [403]);
}

async function unknownExecutor(world: World): Promise<void> {
  const path = `/codex-exec/exe_${crypto.randomUUID()}?token=${"0".repeat(64)}`;
  await refused(world, "/codex-exec/:exe_id", path, [401], world.newAddress());
}

/** From one address, for whichever executor: after a hundred in a minute no guess is looked at. */
async function guess(world: World, random: Random): Promise<void> {
  const { exeId } = random.pick(world.executors);
  const path = `/codex-exec/${exeId}?token=${encodeHex(random.bytes(32))}`;
  await refused(world, "/codex-exec/:exe_id", path, [401, 429], GUESSER);
}

async function noToken(world: World, random: Random): Promise<void> {
  await refused(
    world,
    "/codex-exec/:exe_id",
    `/codex-exec/${random.pick(world.executors).exeId}`,
    [400],
  );
}

async function noWebSocket(world: World, random: Random): Promise<void> {
  const connection = random.pick(world.executors).connection;
  const since = performance.now();
  if (!connection?.isFree || connection.exe.isExclusive) return;
  const { exeId } = connection.exe;
  const { status } = await world.api.ask(world, {
    method: "GET",
    route: "/bridge/:exe_id",
    path: `/bridge/${exeId}`,
    bearer: await capToken(world.gateway, exeId, "turn_stranger"),
  });
  if (connection.wasUpSince(since) && status !== 426) {
    world.breaches.note(`a request that is no websocket was answered ${status}`);
  }
}

async function secondBridge(world: World, random: Random): Promise<void> {
  const held = world.executors.filter((exe) => exe.isExclusive && holderOf(exe.connection));
  if (held.length === 0) return;
  const connection = random.pick(held).connection!;
  const holder = holderOf(connection)!;
  const { exeId } = connection.exe;
  const token = await capToken(world.gateway, exeId, "turn_stranger");
  const answer = await Socket.open(
    `${world.gateway.wsUrl}/bridge/${exeId}?token=${token}`,
    IGNORE,
  );
  if (!(answer instanceof Socket)) {
    return world.ledger.noteRefusal("/bridge/:exe_id", answer.status);
  }
  world.ledger.joined++;
  answer.vanish();
  if (!connection.wasUpSince(holder.openedAt)) return;
  // One that was about to close has given its executor up before it reads that it has closed.
  if (!await holder.changed.until(() => holder.end !== undefined, CLOSING_MS)) {
    world.breaches.note(`bridge ${holder.id} holds its executor, and a second one was let in`);
  }
}

/** The bridge that surely holds an exclusive executor: messages of it have come through. */
function holderOf(connection: Connection | undefined) {
  if (!connection?.isOpen) return undefined;
  return [...connection.exe.books].find((book) =>
    book.connection === connection && book.end === undefined
  );
}

async function refused(
  world: World,
  route: string,
  path: string,
  statuses: readonly number[],
  from?: string,
): Promise<void> {
  const answer = await Socket.open(world.gateway.wsUrl + path, IGNORE, from);
  const expected = statuses.join(" or ");
  if (answer instanceof Socket) {
    world.breaches.note(`${route} was opened instead of refused with ${expected}`);
    return answer.vanish();
  }
  world.ledger.noteRefusal(route, answer.status);
  if (!statuses.includes(answer.status)) {
    world.breaches.note(`${route} was refused with ${answer.status} instead of ${expected}`);
  }
}
