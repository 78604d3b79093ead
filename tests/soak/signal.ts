/**
 * How long something may take that waits for others who read slowly, in milliseconds: somebody takes nothing
 * for half a minute before it is closed, and then there is what had to wait.
 */
export const HELD_MS = 60_000;

/** Wakes those who wait for a condition when something that it depends on has changed. */
export class Signal {
  #changed = Promise.withResolvers<void>();
  #awaited = false;

  notify(): void {
    if (!this.#awaited) return;
    this.#awaited = false;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** Waits until the condition holds, at most `ms`; returns whether it does. */
  async until(condition: () => boolean, ms: number): Promise<boolean> {
    const deadline = performance.now() + ms;
    while (!condition()) {
      const left = deadline - performance.now();
      if (left <= 0) return false;
      this.#awaited = true;
      let timer;
      const late = new Promise<void>((resolve) => timer = setTimeout(resolve, left));
      await Promise.race([this.#changed.promise, late]);
      clearTimeout(timer);
    }
    return true;
  }
}

/** Resolves after so many milliseconds. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
