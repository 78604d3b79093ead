/**
 * What the soak sends: each message names its bridge, its stream and its number, and the rest of it
 * follows from those, so that whoever gets it can tell a wrong, a late and a damaged one.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { Random } from "../fuzz/random.ts";

/** Which message of which stream of which bridge. */
export interface Mark {
  readonly bridge: number;
  readonly stream: number;
  readonly seq: number;
}

/** The largest payload, in bytes, or in UTF-16 units where it is text. */
export const MAX_PAYLOAD = 256 * 1024;

/** A binary message's header: bridge, stream, number and length, each in four bytes. */
const HEADER_BYTES = 16;

const POOL = 1024 * 1024;
/** The same in every run: a message must be made again by whoever checks it. */
const noise = Buffer.from(new Random("soak").bytes(POOL));
/** Of one, two and three bytes in UTF-8. */
const letters = Array.from(noise, (byte) => 'abcdefgh01234567{}:,"é漢'[byte % 23]!).join("");

/** A binary message of at least `size` bytes of payload. */
export function binaryMessage(mark: Mark, size: number): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(HEADER_BYTES + size);
  const header = new DataView(message.buffer);
  [mark.bridge, mark.stream, mark.seq, size].forEach((value, i) => header.setUint32(4 * i, value));
  const start = startOf(mark);
  message.set(noise.subarray(start, start + size), HEADER_BYTES);
  return message;
}

/** @throws {Error} when the message is not, byte for byte, one that {@linkcode binaryMessage} made */
export function readBinary(message: Uint8Array): Mark {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  if (bytes.length < HEADER_BYTES) throw new Error(`a message of ${bytes.length} bytes`);
  const mark = {
    bridge: bytes.readUInt32BE(0),
    stream: bytes.readUInt32BE(4),
    seq: bytes.readUInt32BE(8),
  };
  const size = bytes.readUInt32BE(12);
  const start = startOf(mark);
  const intact = bytes.subarray(HEADER_BYTES).equals(noise.subarray(start, start + size));
  if (!intact) {
    throw new Error(`message ${JSON.stringify(mark)} of ${bytes.length} bytes is damaged`);
  }
  return mark;
}

/** A text message with `size` characters of payload. */
export function textMessage(mark: Mark, size: number): string {
  const start = startOf(mark);
  return `${mark.bridge} ${mark.stream} ${mark.seq} ${size} ${letters.slice(start, start + size)}`;
}

/** @throws {Error} when the message is not, letter for letter, one that {@linkcode textMessage} made */
export function readText(message: string): Mark {
  const [bridge, stream, seq, size] = message.slice(0, 60).split(" ").map(Number);
  const mark = { bridge: bridge!, stream: stream!, seq: seq! };
  if (message !== textMessage(mark, size!)) {
    throw new Error(`message ${message.slice(0, 40)} of ${message.length} characters is damaged`);
  }
  return mark;
}

function startOf({ bridge, stream, seq }: Mark): number {
  return (bridge * 7919 + stream * 50_021 + seq * 104_729) % (POOL - MAX_PAYLOAD);
}
