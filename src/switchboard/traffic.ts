import type { DropReason } from "./drops.ts";

/**
 * What has passed since the process began: plain numbers, since a frame may cost no more than an
 * increment. The size of a text frame is its length in UTF-16 units, which for JSON-RPC in ASCII is
 * that in bytes.
 */
export class Traffic {
  framesToExecutor = 0;
  bytesToExecutor = 0;
  framesToHarness = 0;
  bytesToHarness = 0;
  readonly drops = new Map<DropReason, number>();
}

/** The size of a frame, as {@linkcode Traffic} counts it. */
export function sizeOf(data: string | ArrayBuffer | Uint8Array): number {
  return typeof data === "string" ? data.length : data.byteLength;
}
