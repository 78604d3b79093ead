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

import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { isTooLarge } from "./limits.ts";

/** The longest stream id, in bytes. */
const MAX_STREAM_ID_BYTES = 128;

const VERSION = 1;

const FIELD = { version: 1, streamId: 2, reset: 8 } as const;

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
  let version = 0;
  let streamId: string | undefined;
  let body = 0;
  try {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      if (field === FIELD.version && type === WireType.Varint) {
        version = reader.uint32();
      } else if (field === FIELD.streamId && type === WireType.LengthDelimited) {
        streamId = reader.string(true);
      } else {
        if (field >= Body.data && field <= Body.handshake) {
          if (type !== WireType.LengthDelimited) return "malformed";
          body = field;
        }
        reader.skip(type, field);
      }
    }
  } catch {
    return "malformed";
  }
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
    .tag(FIELD.version, WireType.Varint).uint32(VERSION)
    .tag(FIELD.streamId, WireType.LengthDelimited).string(streamId)
    .tag(FIELD.reset, WireType.LengthDelimited).fork()
    .tag(1, WireType.LengthDelimited).string(reason)
    .join()
    .finish();
}
