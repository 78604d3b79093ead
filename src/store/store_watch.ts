/** How this process learns what another one on the same store has ended. */

import { log } from "../log/logging.ts";

/** How often a shared store is asked for what other processes have ended, in milliseconds. */
const WATCH_MS = 400;

/**
 * How far back before the last answer it is asked, in seconds: what ends something carries the time at which
 * its transaction began, and is seen when that has ended.
 */
const WATCH_BACK_S = 15;

/**
 * Asks for what was ended in the last `seconds`, and ends it here. What it was told before it is told again.
 */
export type CatchUp = (seconds: number) => Promise<void>;

/** Keeps up with what other gateway processes on the same store end, until `stop` is aborted. */
export function watchStore(questions: readonly CatchUp[], stop: AbortSignal): void {
  let asking = false;
  let failed = false;
  let answeredAt = performance.now();
  const timer = setInterval(async () => {
    if (asking) return;
    asking = true;
    const askedAt = performance.now();
    const backS = WATCH_BACK_S + (askedAt - answeredAt) / 1000;
    try {
      await Promise.all(questions.map((catchUp) => catchUp(backS)));
      answeredAt = askedAt;
      failed = false;
    } catch (error) {
      // Said once for each time the store is away.
      if (!failed) log.warn("cannot see what others revoke", { error: `${error}` });
      failed = true;
    } finally {
      asking = false;
    }
  }, WATCH_MS);
  Deno.unrefTimer(timer);
  stop.addEventListener("abort", () => clearInterval(timer), { once: true });
}
