/** Over how long it is counted, in seconds. */
const WINDOW_S = 120;

/** How long somebody may keep others waiting in it, in milliseconds. */
const LIMIT_MS = 60_000;

/** For how long somebody kept others waiting lately. */
export class Patience {
  /** Milliseconds of waiting in each second, by its number; the oldest first. */
  readonly #seconds = new Map<number, number>();
  #sum = 0;

  /**
   * Counts time in which others waited.
   *
   * @param ms how long
   * @param now on the monotonic clock, in milliseconds
   * @returns whether that was too much: over 60 s in the last 120
   */
  spend(ms: number, now: number): boolean {
    const second = Math.floor(now / 1000);
    for (const [old, spent] of this.#seconds) {
      if (second - old < WINDOW_S) break;
      this.#seconds.delete(old);
      this.#sum -= spent;
    }
    this.#seconds.set(second, (this.#seconds.get(second) ?? 0) + ms);
    this.#sum += ms;
    return this.#sum > LIMIT_MS;
  }
}
