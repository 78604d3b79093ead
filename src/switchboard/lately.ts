/** How often something has happened to each of many lately. */
export class Lately {
  readonly #ms: number;
  readonly #most: number;
  /** When, by whom it happened to; each list, and the map itself, with the oldest first. */
  readonly #times = new Map<string, number[]>();

  /**
   * @param ms what counts as lately, in milliseconds
   * @param most up to how many are counted, so that what is kept of each is bounded
   */
  constructor(ms: number, most: number) {
    this.#ms = ms;
    this.#most = most;
  }

  /** It has happened to one of them, just now. */
  add(key: string): void {
    const now = performance.now();
    const times = this.#times.get(key) ?? [];
    times.push(now);
    if (times.length > this.#most) times.shift();
    // To the end of the order.
    this.#times.delete(key);
    this.#times.set(key, times);
    this.#prune(now);
  }

  /** How often it has happened to one of them. */
  count(key: string): number {
    return this.#current(key).length;
  }

  /** To how many of them it has happened. */
  get size(): number {
    this.#prune(performance.now());
    return this.#times.size;
  }

  /** When the first that counts will count no more, on the monotonic clock; `undefined` when none does. */
  endOfFirst(key: string): number | undefined {
    const [first] = this.#current(key);
    return first === undefined ? undefined : first + this.#ms;
  }

  #current(key: string): number[] {
    const since = performance.now() - this.#ms;
    return this.#times.get(key)?.filter((time) => time > since) ?? [];
  }

  #prune(now: number): void {
    for (const [key, times] of this.#times) {
      if (times.at(-1)! > now - this.#ms) break;
      this.#times.delete(key);
    }
  }
}
