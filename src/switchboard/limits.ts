import { Buffer } from "node:buffer";

/** What bounds an executor's connection and its bridges. */
export interface LinkLimits {
  /**
   * The most that may wait to be sent on a websocket, in bytes. It is looked at before a frame is
   * queued, so that one large frame may pass.
   */
  readonly maxBufferedBytes: number;
  /** The largest frame either way, in bytes. */
  readonly maxFrameBytes: number;
}

/** Whether a frame is larger than allowed, counted as it goes over the wire. */
export function isTooLarge(data: string | ArrayBuffer, maxBytes: number): boolean {
  if (typeof data !== "string") return data.byteLength > maxBytes;
  // UTF-8 takes up to three bytes for each UTF-16 unit: nearly every text is below that by far.
  return data.length * 3 > maxBytes && Buffer.byteLength(data) > maxBytes;
}
