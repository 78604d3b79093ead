/** Counts of credentials that were wrong, by where they came from. */

import { PairWindows, Windows } from "./windows.ts";

/** How many wrong tokens are answered as such in a minute: for one executor from one source, and from one. */
const MAX_OF_PAIR = 10;
const MAX_OF_SOURCE = 100;

/**
 * Counts wrong registration tokens, by where they come from. It never stands between a right token and
 * its executor where a digest tells that it is right; where only bcrypt could, nothing from a source
 * that is over its limit is checked until its window ends.
 */
export class WrongTokens extends PairWindows {
  constructor() {
    super(MAX_OF_PAIR, MAX_OF_SOURCE);
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
