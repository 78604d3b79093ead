/**
 * Both ends of a relay or Noise bridge: streams of relay frames. The Noise that the frames would
 * carry is made up, since the gateway has no key for it either.
 *
 * @module
 */
import {
  type Frame,
  frame,
  HARNESS_KEY,
  parseFrame,
  resetReason,
  withField1,
} from "../support/relay.ts";
import type { BridgeBook, StreamBook } from "./books.ts";
import type { Connection } from "./connection.ts";
import { binaryMessage, readBinary } from "./payload.ts";
import { settled } from "../support/websocket.ts";

/** What the peers say in a Reset: any other is the gateway's. */
export const DONE = "soak: done";
export const REFUSED = "soak: refused";

/** The gateway's Reset of a stream that no bridge holds. */
const UNKNOWN_STREAM = "no bridge holds this stream";

/** The first byte of a handshake that the executor refuses. */
const BAD_HANDSHAKE = 1;

/** How many of the handshakes an executor asks the gateway about. */
const VALIDATED = 0.15;

/** The executor: checks each frame, answers handshakes and sends data back. */
export function serveRelay(connection: Connection, data: string | Uint8Array<ArrayBuffer>): void {
  const parsed = parseFrame(data);
  const { exe } = connection;
  const stream = exe.world.ledger.streams.get(parsed.streamId);
  const reason = parsed.body === "reset" ? resetReason(parsed) : undefined;
  if (stream === undefined) {
    if (!connection.ghosts.has(parsed.streamId) || reason !== UNKNOWN_STREAM) {
      throw new Error(`got ${parsed.body} of a stream that nobody has: ${parsed.streamId}`);
    }
    connection.ghostResets++;
    return;
  }
  const { book } = stream;
  if (book.exe !== exe) throw new Error(`got ${parsed.body} of bridge ${book.id}, not its own`);
  book.connection ??= connection;
  if (book.connection !== connection) throw new Error(`bridge ${book.id} changed its connection`);
  if (reason !== undefined && reason !== DONE) resetByGateway(connection, stream, reason);
  else serveStream(connection, stream, parsed, data.length);
  book.changed.notify();
}

function resetByGateway(connection: Connection, stream: StreamBook, reason: string): void {
  const late = reason === UNKNOWN_STREAM;
  if (late && stream.resetBy === undefined) {
    throw new Error(`${stream.id} is held by no bridge, and was not reset`);
  }
  if (!late) end(connection, stream, "gateway");
}

function serveStream(
  connection: Connection,
  stream: StreamBook,
  { body, payload, streamId }: Frame,
  size: number,
): void {
  const { book } = stream;
  book.received.add(size);
  connection.exe.arrived(book, size);
  if (stream.resetBy !== undefined) throw new Error(`got ${body} of ${streamId}, which was reset`);
  if (!stream.claimed) {
    const claims = body === "resume" || (body === "handshake" && book.exe.kind === "noise");
    if (!claims) throw new Error(`the first frame of ${streamId} is ${body}`);
    stream.claimed = true;
    connection.openStreams++;
    if (body === "handshake") answerHandshake(connection, stream, payload[0] === BAD_HANDSHAKE);
  } else if (body === "handshake") {
    answerHandshake(connection, stream, payload[0] === BAD_HANDSHAKE);
  } else if (body === "reset") {
    end(connection, stream, "harness");
  } else {
    if (body !== "data") throw new Error(`got ${body} of ${streamId}`);
    checkData(stream, payload, stream.atExecutor++);
    connection.reply(book, frame(streamId, "data", payload));
  }
}

function answerHandshake(connection: Connection, stream: StreamBook, isBad: boolean): void {
  const { book, id } = stream;
  if (isBad) {
    connection.reply(book, resetFrame(id, REFUSED));
    end(connection, stream, "executor");
    return;
  }
  connection.reply(book, frame(id, "handshake", withField1(new Uint8Array(1100))));
  if (Math.random() < VALIDATED) validate(connection, book);
}

/** Asks the gateway whether the harness's key may speak, as an executor does. */
async function validate(connection: Connection, book: BridgeBook): Promise<void> {
  const { exe } = connection;
  const { world } = exe;
  const { gateway } = world;
  try {
    const { status, body } = await world.api.ask(world, {
      method: "POST",
      route: "/cloud/environment/:exe_id/validate",
      path: `/cloud/environment/${exe.exeId}/validate`,
      bearer: exe.token,
      body: {
        executor_registration_id: exe.registrationId,
        harness_public_key: HARNESS_KEY,
        harness_key_authorization: book.authorization,
      },
    });
    const live = book.end === undefined && book.revokedAt === undefined &&
      connection.isOpen && !connection.leaving;
    const valid = status === 200 && (body as { valid: boolean }).valid;
    if (live && !valid) connection.breach(`validate answered ${status} ${JSON.stringify(body)}`);
    world.count("calls of validate");
  } catch (error) {
    // A gateway that is killed meanwhile answers nobody.
    if (await settled(gateway.exited, 1_000)) return;
    connection.breach(`validate failed: ${error}`);
  }
}

function end(connection: Connection, stream: StreamBook, by: StreamBook["resetBy"]): void {
  if (stream.resetBy !== undefined) return;
  stream.resetBy = by;
  connection.openStreams--;
}

/** The harness: checks what came back. */
export function checkRelay(book: BridgeBook, data: string | Uint8Array<ArrayBuffer>): void {
  const parsed = parseFrame(data);
  const stream = book.streams.find(({ id }) => id === parsed.streamId);
  if (stream === undefined) throw new Error(`got ${parsed.body} of ${parsed.streamId}`);
  if (parsed.body === "reset") {
    const reason = resetReason(parsed);
    if (reason !== REFUSED) throw new Error(`${stream.id} was reset: ${reason}`);
    stream.answered = true;
  } else if (parsed.body === "handshake") {
    stream.answered = true;
  } else {
    if (parsed.body !== "data") throw new Error(`got ${parsed.body} back`);
    checkData(stream, parsed.payload, stream.atHarness++);
  }
  book.home.add(data.length);
}

/** The next data of a stream. */
export function nextData(stream: StreamBook, size: number): Uint8Array {
  const mark = { bridge: stream.book.id, stream: stream.index, seq: stream.next++ };
  return frame(stream.id, "data", binaryMessage(mark, size));
}

/** A handshake of about the size of a real one. */
export function handshakeFrame(streamId: string, isBad: boolean): Uint8Array {
  return frame(streamId, "handshake", new Uint8Array(1200).fill(isBad ? BAD_HANDSHAKE : 0));
}

/** A Reset of a peer's. */
export function resetFrame(streamId: string, reason: string): Uint8Array {
  return frame(streamId, "reset", withField1(new TextEncoder().encode(reason)));
}

function checkData({ id, index, book }: StreamBook, payload: Uint8Array, expected: number): void {
  const { bridge, stream, seq } = readBinary(payload);
  if (bridge !== book.id || stream !== index) throw new Error(`${id} carries ${bridge}/${stream}`);
  if (seq !== expected) throw new Error(`${id}: message ${seq} came instead of ${expected}`);
}
