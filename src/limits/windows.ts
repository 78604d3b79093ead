/**
 * How often something happened lately: counters that begin anew each minute, for limits by where things
 * come from.
 *
 * @module
 */
import { createHash } from "node:crypto";

/** How long things are counted together, in milliseconds. */
const WINDOW_MS = 60_000;

/** How many counters there are at most; beyond it the oldest gives way. */
const CAPACITY = 10_000;

interface Window {
  count: number;
  readonly endsAt: number;
}

/** What happened with each key since its window began. */
export class Windows {
  readonly #max: number;
  /** By key, in the order in which they end. */
  readonly #windows = new Map<string, Window>();

  /** @param max how often it may happen in a window */
  constructor(max: number) {
    this.#max = max;
  }

  /** Seconds until the window ends, when it is full; else 0. */
  secondsLeft(key: string): number {
    const window = this.#windows.get(key);
    if (window === undefined || window.count < this.#max) return 0;
    return Math.max(0, Math.ceil((window.endsAt - performance.now()) / 1000));
  }

  /** Counts one more. */
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

/**
 * Two limits at once: on what one source does about one thing, so that one that tries for ever does not use
 * up what its neighbours behind the same address have, and on what one source does in all.
 */
export class PairWindows {
  readonly #ofPair: Windows;
  readonly #ofSource: Windows;

  /**
   * @param maxOfPair how often one source may about one thing
   * @param maxOfSource how often one source may in all
   */
  constructor(maxOfPair: number, maxOfSource: number) {
    this.#ofPair = new Windows(maxOfPair);
    this.#ofSource = new Windows(maxOfSource);
  }

  /** How long a source has to leave a thing alone, in seconds; 0 when it need not. */
  retryAfter(thing: string, source: string): number {
    return Math.max(
      this.#ofSource.secondsLeft(source),
      this.#ofPair.secondsLeft(pairOf(thing, source)),
    );
  }

  /**
   * Counts one more.
   *
   * @returns how long to leave it alone, in seconds, when there were too many before; else 0
   */
  count(thing: string, source: string): number {
    const retryAfter = this.retryAfter(thing, source);
    if (retryAfter > 0) return retryAfter;
    this.#ofPair.count(pairOf(thing, source));
    this.#ofSource.count(source);
    return 0;
  }
}

/** Of one length, however long an id somebody makes up. */
function pairOf(thing: string, source: string): string {
  return createHash("sha256").update(`${source}\n${thing}`).digest("base64");
}
