import { FairQueue } from "./fair_queue.ts";

/** How long after one another peers that come at once are let in, in milliseconds. */
const PAUSE_MS = 4;

/**
 * How long the last of them may wait, in milliseconds: beyond it more are let in at a time. An executor may
 * have to come twice, to register and to dial, and a harness waits 8 s for it.
 */
const LONGEST_WAIT_MS = 4_000;

/**
 * Spreads over time what comes all at once, as executors do after a restart. To let one in takes this thread
 * a millisecond or so, and a thousand in a row would hold up every frame for seconds. Where they come from
 * takes turns, so that a flood of one address keeps only its own waiting.
 */
export class Pacer {
  readonly #waiting = new FairQueue<() => void>();
  #isPausing = false;
  /** How many pass at a time, since somebody waits. */
  #atATime = 1;

  /**
   * Resolves when it is the caller's turn; `undefined` when that is now.
   *
   * @param source what the caller is counted by; those of one source pass in the order of their calls
   */
  turn(source: string): Promise<void> | undefined {
    if (!this.#isPausing) {
      this.#pause();
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(source, resolve));
  }

  #pause(): void {
    this.#isPausing = true;
    setTimeout(() => this.#goOn(), PAUSE_MS);
  }

  #goOn(): void {
    this.#isPausing = false;
    if (this.#waiting.size === 0) {
      this.#atATime = 1;
      return;
    }
    this.#pause();
    const enough = Math.ceil(this.#waiting.size * PAUSE_MS / LONGEST_WAIT_MS);
    this.#atATime = Math.max(this.#atATime, enough);
    for (let i = 0; i < this.#atATime; i++) this.#waiting.shift()?.();
  }
}
