import type { Passed } from "./events.ts";
import { isTooLarge } from "./limits.ts";
import type { PeerSocket } from "./peer_socket.ts";
import type { Pressure } from "./pressure.ts";
import { sizeOf, type Traffic } from "./traffic.ts";

/** Who sends on a wire. */
export type Side = "executor" | "harness";

/** How much may wait for a peer before its sender is held, in bytes, and at which part of it the sender goes on. */
export const HIGH_MARK = 1024 * 1024;
export const LOW_PART = 0.5;

/** Where the limit of what may wait at all is small, the sender is held at this part of it. */
const HIGH_PART = 0.25;

/** What a wire needs to know of the bridge that it belongs to. */
export interface WireOptions {
  readonly side: Side;
  readonly traffic: Traffic;
  readonly pressure: Pressure;
  /** The largest frame, in bytes. */
  readonly maxFrameBytes: number;
  /** The most that may wait in any case, in bytes: looked at before a frame is queued. */
  readonly maxBufferedBytes: number;
  /** How much may wait before the sender is held, in bytes; by default {@linkcode HIGH_MARK}. */
  readonly highMark?: () => number;
  /** The sender has sent a frame that is too large. */
  readonly onTooLarge: () => void;
  /** The receiver reads too slowly, and cannot be waited for. */
  readonly onStuck: () => void;
  /** The sender was held for so long, in milliseconds, and now is so late. */
  readonly onHeld?: (ms: number, now: number) => void;
}

/**
 * One direction of a bridge: what comes from one peer goes to the other. It owns what may be said of a
 * frame without looking into it: that it is too large, that too much waits already, how many there were. It
 * is the only one who sends.
 *
 * A receiver that reads slowly holds its sender, as TCP would if the two were joined directly.
 */
export class Wire {
  readonly from: PeerSocket;
  readonly to: PeerSocket;
  readonly side: Side;
  readonly onStuck: () => void;
  readonly onHeld: (ms: number, now: number) => void;
  /** What has passed. */
  frames = 0;
  bytes = 0;
  /** For how long the sender was held, in milliseconds. */
  heldMs = 0;
  readonly #options: WireOptions;
  /** The lowest that the high mark can be. */
  readonly #leastHighMark: number;

  constructor(from: PeerSocket, to: PeerSocket, options: WireOptions) {
    this.from = from;
    this.to = to;
    this.side = options.side;
    this.onStuck = options.onStuck;
    this.onHeld = options.onHeld ?? (() => {});
    this.#options = options;
    this.#leastHighMark = Math.min(HIGH_MARK, options.maxBufferedBytes * HIGH_PART);
  }

  /** At how many waiting bytes a sender that is held may go on. */
  get lowMark(): number {
    return this.#highMark * LOW_PART;
  }

  get #highMark(): number {
    const { highMark, maxBufferedBytes } = this.#options;
    if (highMark === undefined) return this.#leastHighMark;
    return Math.min(highMark(), maxBufferedBytes * HIGH_PART);
  }

  /** Whether a frame is too large, or would come on top of too much: then what is to be done was done. */
  refuses(data: string | ArrayBuffer): boolean {
    const { maxFrameBytes, maxBufferedBytes, onTooLarge } = this.#options;
    if (isTooLarge(data, maxFrameBytes)) {
      onTooLarge();
      return true;
    }
    // Asked again only where it was too much: to ask costs a call into the runtime.
    if (
      this.to.lastBufferedAmount > maxBufferedBytes && this.to.bufferedAmount > maxBufferedBytes
    ) {
      this.onStuck();
      return true;
    }
    return false;
  }

  /** Passes a frame on that is not refused. */
  send(data: string | ArrayBuffer): void {
    const { traffic, pressure } = this.#options;
    const size = sizeOf(data);
    this.frames++;
    this.bytes += size;
    if (this.side === "executor") {
      traffic.framesToHarness++;
      traffic.bytesToHarness += size;
    } else {
      traffic.framesToExecutor++;
      traffic.bytesToExecutor += size;
    }
    this.to.send(data);
    const waiting = this.to.bufferedAmount;
    const isMuch = waiting > this.#leastHighMark && waiting > this.#highMark;
    if (isMuch || this.to.isOverBudget()) pressure.hold(this);
  }

  /** The bridge has ended: nobody is held for it any more. */
  end(): void {
    this.#options.pressure.drop(this);
  }
}

/** What has passed over the two wires of a bridge. */
export function passedOver(
  { toExecutor, toHarness }: { toExecutor: Wire; toHarness: Wire },
): Passed {
  return {
    framesToExecutor: toExecutor.frames,
    bytesToExecutor: toExecutor.bytes,
    framesToHarness: toHarness.frames,
    bytesToHarness: toHarness.bytes,
    executorHeldMs: Math.round(toHarness.heldMs),
    harnessHeldMs: Math.round(toExecutor.heldMs),
  };
}
