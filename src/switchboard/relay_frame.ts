/**
 * Relay frames: one protobuf message a binary websocket frame, package
 * `codex.exec_server.relay.v1`. The gateway reads the routing header and skips the rest.
 *
 * | Field of RelayMessageFrame | Number | |
 * |---|---|---|
 * | version | 1 | uint32, must be 1 |
 * | stream_id | 2 | string, 1 to 128 bytes, no surrounding blanks |
 * | ack, ack_bits | 3, 4 | the endpoints' business |
 * | data, ack_frame, resume, reset, heartbeat, handshake | 5 to 10 | the body: one of them |
 *
 * Source: protocol.md section 5.
 *
 * @module
 */

import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { isTooLarge } from "./limits.ts";
import { ProtobufReader, WireType } from "./protobuf_reader.ts";
import { readStreamId } from "./stream_ids.ts";

/** The longest stream id, in bytes. */
const MAX_STREAM_ID_BYTES = 128;

const VERSION = 1;

const FIELD = { version: 1, streamId: 2, reset: 8 } as const;

/** The fields that stand before the body, each with its wire type as it goes over the wire. */
const TAG = { version: 0x08, streamId: 0x12, ack: 0x18, ackBits: 0x20 } as const;

/** What a frame carries, by the number of its field. */
export const Body = {
  data: 5,
  ack: 6,
  resume: 7,
  reset: 8,
  heartbeat: 9,
  handshake: 10,
} as const;

/** Why a frame could not be routed. */
export type FrameFault = "malformed" | "bad_version" | "bad_stream_id";

/** Where a frame goes and what kind it is. */
export interface FrameHeader {
  readonly streamId: string;
  /** A number of {@linkcode Body}. */
  readonly body: number;
}

/**
 * Reads the routing header of a frame. The payload is stepped over, not copied.
 *
 * @returns the header, or what is wrong with the frame
 */
export function readFrame(bytes: Uint8Array): FrameHeader | FrameFault {
  return readUsualFrame(bytes) ?? readAnyFrame(bytes);
}

/**
 * The header of a frame as codex writes it: the fields in the order of their numbers, the body last,
 * the stream id in ASCII. It takes a fifth of the time of {@linkcode readAnyFrame}, which judges every
 * frame that is not surely like that.
 *
 * @returns `undefined` when it is not surely like that
 */
function readUsualFrame(bytes: Uint8Array): FrameHeader | undefined {
  if (bytes[0] !== TAG.version || bytes[1] !== VERSION || bytes[2] !== TAG.streamId) return;
  let at = 4 + bytes[3]!;
  // One byte of length, and room for a body behind the id.
  if (!(at > 4 && at < 4 + 0x80 && at < bytes.length)) return;
  const streamId = readStreamId(bytes, 4, at);
  if (streamId === undefined) return;
  let tag = bytes[at++]!;
  while (tag === TAG.ack || tag === TAG.ackBits) {
    at = endOfVarint(bytes, at);
    tag = bytes[at++]!;
  }
  const body = tag >> 3;
  if ((tag & 7) !== WireType.lengthDelimited || body < Body.data || body > Body.handshake) return;
  const payload = endOfVarint(bytes, at);
  let length = 0;
  for (let i = payload - 1; i >= at; i--) length = length * 0x80 + (bytes[i]! & 0x7f);
  return payload + length === bytes.length ? { streamId, body } : undefined;
}

/** Where a varint of up to 32 bits ends; behind the end of the frame when there is none. */
function endOfVarint(bytes: Uint8Array, at: number): number {
  for (let end = at + 1; end <= at + 5; end++) {
    if (bytes[end - 1]! < 0x80) return end;
  }
  return bytes.length + 1;
}

/** The header of any frame, by the rules of protobuf. */
function readAnyFrame(bytes: Uint8Array): FrameHeader | FrameFault {
  let version = 0;
  let streamId: string | undefined;
  let body = 0;
  const reader = new ProtobufReader(bytes);
  while (reader.next()) {
    const { field, type } = reader;
    if (field === FIELD.version && type === WireType.varint) {
      version = reader.uint32();
    } else if (field === FIELD.streamId && type === WireType.lengthDelimited) {
      streamId = reader.string();
    } else {
      if (field >= Body.data && field <= Body.handshake) {
        if (type !== WireType.lengthDelimited) return "malformed";
        body = field;
      }
      reader.skip();
    }
  }
  if (!reader.ok) return "malformed";
  if (version !== VERSION) return "bad_version";
  if (body === 0) return "malformed";
  if (!streamId || streamId.trim() !== streamId || isTooLarge(streamId, MAX_STREAM_ID_BYTES)) {
    return "bad_stream_id";
  }
  return { streamId, body };
}

/**
 * Makes the frame that ends a stream.
 *
 * @param reason 1 to 256 bytes
 */
export function resetFrame(streamId: string, reason: string): Uint8Array<ArrayBuffer> {
  return new BinaryWriter()
    .tag(FIELD.version, WireType.varint).uint32(VERSION)
    .tag(FIELD.streamId, WireType.lengthDelimited).string(streamId)
    .tag(FIELD.reset, WireType.lengthDelimited).fork()
    .tag(1, WireType.lengthDelimited).string(reason)
    .join()
    .finish();
}
