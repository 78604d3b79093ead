import { createHash } from "node:crypto";

/** How long wrong tokens are counted together, in milliseconds. */
const WINDOW_MS = 60_000;

/**
 * How many wrong tokens are answered as such in a window: for one executor from one source, so that one
 * that is set up wrong and tries for ever does not use up what its neighbours behind the same address
 * have, and from one source for all executors.
 */
const MAX_OF_PAIR = 10;
const MAX_OF_SOURCE = 100;

/** How many counters there are at most; beyond it the oldest gives way. */
const CAPACITY = 10_000;

/**
 * Counts wrong registration tokens, by where they come from. It never stands between a right token and
 * its executor where a digest tells that it is right; where only bcrypt could, nothing from a source
 * that is over its limit is checked until its window ends.
 */
export class WrongTokens {
  readonly #ofPair = new Windows(MAX_OF_PAIR);
  readonly #ofSource = new Windows(MAX_OF_SOURCE);

  /** How long a source must stay away from an executor, in seconds; 0 when it need not. */
  retryAfter(exeId: string, source: string): number {
    return Math.max(
      this.#ofSource.secondsLeft(source),
      this.#ofPair.secondsLeft(pairOf(exeId, source)),
    );
  }

  /**
   * Counts a wrong token.
   *
   * @returns how long to stay away, in seconds, when there were too many before; else 0
   */
  count(exeId: string, source: string): number {
    const retryAfter = this.retryAfter(exeId, source);
    if (retryAfter > 0) return retryAfter;
    this.#ofPair.count(pairOf(exeId, source));
    this.#ofSource.count(source);
    return 0;
  }
}

/** Counts wrong internal secrets, by where they come from. A right one is let in however many came before. */
export class WrongSecrets {
  readonly #ofSource = new Windows(MAX_OF_PAIR);

  /**
   * Counts a wrong secret.
   *
   * @returns how long to stay away, in seconds, when there were too many before; else 0
   */
  count(source: string): number {
    const retryAfter = this.#ofSource.secondsLeft(source);
    if (retryAfter === 0) this.#ofSource.count(source);
    return retryAfter;
  }
}

/** Of one length, however long an id somebody makes up. */
function pairOf(exeId: string, source: string): string {
  return createHash("sha256").update(`${source}\n${exeId}`).digest("base64");
}

interface Window {
  count: number;
  readonly endsAt: number;
}

/** What happened with each key since its window began. */
class Windows {
  readonly #max: number;
  /** By key, in the order in which they end. */
  readonly #windows = new Map<string, Window>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Seconds until the window ends, when it is full; else 0. */
  secondsLeft(key: string): number {
    const window = this.#windows.get(key);
    if (window === undefined || window.count < this.#max) return 0;
    return Math.max(0, Math.ceil((window.endsAt - performance.now()) / 1000));
  }

  count(key: string): void {
    this.#prune();
    const window = this.#windows.get(key);
    if (window !== undefined) window.count++;
    else this.#windows.set(key, { count: 1, endsAt: performance.now() + WINDOW_MS });
  }

  #prune(): void {
    const now = performance.now();
    for (const [key, { endsAt }] of this.#windows) {
      if (endsAt > now && this.#windows.size < CAPACITY) break;
      this.#windows.delete(key);
    }
  }
}
