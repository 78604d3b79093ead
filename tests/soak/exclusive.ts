/**
 * Both ends of an exclusive bridge: messages of one kind, text or binary, one stream of them.
 *
 * @module
 */
import type { BridgeBook } from "./books.ts";
import type { Connection } from "./connection.ts";
import { binaryMessage, readBinary, readText, textMessage } from "./payload.ts";

/** The executor: checks each message and sends it back. */
export function serveExclusive(connection: Connection, data: string | Uint8Array): void {
  const { exe } = connection;
  const { bridge, seq } = readExclusive(data);
  const book = exe.world.ledger.bridges.get(bridge);
  if (book?.exe !== exe) throw new Error(`got a message of bridge ${bridge}, which is not its own`);
  book.connection ??= connection;
  if (book.connection !== connection) throw new Error(`bridge ${bridge} changed its connection`);
  const { received } = book;
  if (seq !== received.frames) {
    throw new Error(`bridge ${bridge}: message ${seq} came after ${received.frames} others`);
  }
  received.add(data.length);
  exe.arrived(book, data.length);
  if (typeof data === "string") connection.carriedText = true;
  // What it sent back on a binary connection now would go to the next bridge.
  if (book.end !== undefined && exe.kind === "binary") connection.leaving = true;
  else connection.reply(book, data);
  book.changed.notify();
}

/** The next message of the harness. */
export function nextExclusive({ id, exe, sent }: BridgeBook, size: number): string | Uint8Array {
  const mark = { bridge: id, stream: 0, seq: sent.frames };
  return exe.kind === "text" ? textMessage(mark, size) : binaryMessage(mark, size);
}

/** The harness: checks what came back. */
export function checkExclusive(book: BridgeBook, data: string | Uint8Array): void {
  const { bridge, seq } = readExclusive(data);
  if (bridge !== book.id) throw new Error(`got a message of bridge ${bridge}, which is another's`);
  if (seq !== book.home.frames) {
    throw new Error(`message ${seq} came back after ${book.home.frames} others`);
  }
  book.home.add(data.length);
}

function readExclusive(data: string | Uint8Array) {
  return typeof data === "string" ? readText(data) : readBinary(data);
}
