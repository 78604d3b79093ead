/** After how many frames in a row that were all dropped a peer is closed. */
const LIMIT = 1_000;

/**
 * For how long after the end of a bridge what an executor still sends for it is dropped and not held against
 * it, in milliseconds: a command that printed may have filled every buffer on the way.
 */
const LATE_MS = 60_000;

/** Counts how many frames of a peer were dropped since the last one that was passed on. */
export class DroppedRow {
  #count = 0;
  #excusedUntil = 0;

  /** A frame was passed on. */
  broken(): void {
    this.#count = 0;
  }

  /** From now on late frames are to be expected. */
  excuse(): void {
    this.#excusedUntil = performance.now() + LATE_MS;
    this.#count = 0;
  }

  /**
   * Counts a frame that was dropped.
   *
   * @returns whether that was one too many
   */
  isTooLong(): boolean {
    if (++this.#count < LIMIT) return false;
    this.#count = 0;
    return performance.now() >= this.#excusedUntil;
  }
}
