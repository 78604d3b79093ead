/**
 * Sizes of a buffer, in bytes. The first holds a whole TLS record, and an idle connection keeps no more; a read
 * that fills its buffer is followed by a larger one, and one that does not by a smaller one.
 */
const SIZES = [16 * 1024 + 256, 64 * 1024, 256 * 1024] as const;

/** The buffers of one reader, as large as its reads are, and used again. */
export class ReadBuffers {
  #level = 0;
  #spare: Uint8Array | undefined;

  /** A buffer for the next read. */
  take(): Uint8Array {
    const buffer = this.#spare ?? new Uint8Array(SIZES[this.#level]!);
    this.#spare = undefined;
    return buffer;
  }

  /** Takes note of a read of so many bytes into a buffer that was taken here. */
  note(buffer: Uint8Array, bytes: number): void {
    const next = this.#level + (bytes < buffer.length ? -1 : 1);
    this.#level = Math.max(0, Math.min(next, SIZES.length - 1));
    if (this.#spare?.length !== SIZES[this.#level]) this.#spare = undefined;
  }

  /** Gives a buffer back whose bytes nobody needs any more. */
  giveBack(buffer: Uint8Array): void {
    if (buffer.length === SIZES[this.#level]) this.#spare = buffer;
  }
}
