/**
 * Lines on their way to standard error, off the thread that moves frames: a pipe whose reader has
 * stopped (a log shipper that stalls, a terminal that was paused) blocks whoever writes to it.
 *
 * @module
 */

/** Where lines go: standard error, but in tests. */
export interface LineSink {
  /** Writes some of the bytes and returns how many; may take for ever. */
  write(bytes: Uint8Array): Promise<number>;
}

/** How much may wait to be written, in bytes: some thousands of lines. */
const MAX_WAITING_BYTES = 1024 * 1024;

/** How many lines are handed over together at the most, so that what waits is copied in small parts. */
const MAX_BATCH_LINES = 256;

/**
 * Writes lines in their order, one write at a time. When too much waits, new lines are dropped and
 * counted; the count is written in a line of its own as soon as there is room again. A sink that fails
 * loses what it was given, and is tried again with what comes next: whoever read it has gone, and the
 * gateway must not go with it.
 */
export class LogQueue {
  readonly #sink: LineSink;
  readonly #maxBytes: number;
  readonly #dropLine: (dropped: number) => string;
  readonly #encoder = new TextEncoder();
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #unsaid = 0;
  #writing: Promise<void> | undefined;

  /**
   * @param dropLine makes the line that says how many were dropped
   * @param maxBytes how much may wait
   */
  constructor(sink: LineSink, dropLine: (dropped: number) => string, maxBytes = MAX_WAITING_BYTES) {
    this.#sink = sink;
    this.#dropLine = dropLine;
    this.#maxBytes = maxBytes;
  }

  /** How many lines were dropped since the process began, because too many waited. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Takes one line, its line break included; never blocks, never throws. */
  push(line: string): void {
    const bytes = this.#encoder.encode(line);
    if (this.#waitingBytes + bytes.length > this.#maxBytes) {
      this.#dropped++;
      this.#unsaid++;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when nothing waits. */
  async drained(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #writeAll(): Promise<void> {
    // What is logged in this turn of the event loop goes in one write.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      await this.#writeOne(this.#takeBatch());
      this.#sayDropped();
    }
    this.#writing = undefined;
  }

  #takeBatch(): Uint8Array {
    const lines = this.#waiting.splice(0, MAX_BATCH_LINES);
    const batch = new Uint8Array(lines.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const line of lines) {
      batch.set(line, at);
      at += line.length;
    }
    return batch;
  }

  async #writeOne(batch: Uint8Array): Promise<void> {
    try {
      for (let written = 0; written < batch.length;) {
        written += await this.#sink.write(batch.subarray(written));
      }
    } catch {
      // Nobody reads it, and there is nowhere else to say so.
    }
    this.#waitingBytes -= batch.length;
  }

  /** Behind what was taken before, so that the gap is named where it is. */
  #sayDropped(): void {
    if (this.#unsaid === 0 || this.#waitingBytes > this.#maxBytes / 2) return;
    const line = this.#encoder.encode(this.#dropLine(this.#unsaid));
    this.#unsaid = 0;
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
  }
}
