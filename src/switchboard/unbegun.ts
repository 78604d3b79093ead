import { NEVER_BEGUN } from "./close_codes.ts";
import type { EndBridge } from "./live_turns.ts";

/** How long a harness may take to begin, in milliseconds. codex begins as soon as its websocket is open. */
const BEGIN_WITHIN_MS = 60_000;

/**
 * The bridges that nothing has come of yet. One that goes on so holds its executor, or a place of its turn's,
 * for nothing: it is ended. There is one timer for all of them.
 */
export class Unbegun {
  /** When each was opened, on the monotonic clock; the oldest first. */
  readonly #openedAt = new Map<EndBridge, number>();
  readonly #withinMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param withinMs how long one may take; tests make it shorter */
  constructor(withinMs = BEGIN_WITHIN_MS) {
    this.#withinMs = withinMs;
  }

  /** Ends a bridge unless {@linkcode Unbegun.remove} comes in time. */
  add(end: EndBridge): void {
    this.#openedAt.set(end, performance.now());
    this.#wait();
  }

  /** It has begun, or is over. */
  remove(end: EndBridge): void {
    this.#openedAt.delete(end);
  }

  #wait(): void {
    if (this.#timer !== undefined) return;
    const [oldest] = this.#openedAt.values();
    if (oldest === undefined) return;
    // A millisecond more: a timer may be early by less than one.
    const ms = Math.max(oldest + this.#withinMs - performance.now(), 0) + 1;
    this.#timer = setTimeout(() => this.#look(), ms);
    Deno.unrefTimer(this.#timer);
  }

  #look(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const [end, openedAt] of this.#openedAt) {
      if (now - openedAt < this.#withinMs) break;
      this.#openedAt.delete(end);
      end(NEVER_BEGUN);
    }
    this.#wait();
  }
}
