/** From how many replacements within {@linkcode WITHIN_MS} on an executor counts as contested. */
const MANY = 4;

/** Within which time replacements are counted, in milliseconds. */
const WITHIN_MS = 60_000;

/** For how long the connection that is there is kept then, in milliseconds. */
const KEPT_MS = 60_000;

/** Where a connection came from, and when. */
interface Arrival {
  readonly remote: string;
  readonly at: number;
}

/** What became of an executor that was replaced lately. */
interface History {
  /** When it was replaced, oldest first; only within {@linkcode WITHIN_MS}. */
  replacedAt: number[];
  /** Until when the connection that is there is kept; in the past where it is not. */
  keptUntil: number;
}

/** A connection that took the place of another. */
export interface Replacement {
  /** Where the earlier one came from. */
  readonly earlierRemote: string;
  /** How long the earlier one had lasted, in milliseconds. */
  readonly earlierAgeMs: number;
  /** How many there were within the last minute, this one included. */
  readonly lately: number;
  /** Whether from here on the executor is contested. */
  readonly beginsContest: boolean;
}

/**
 * Who replaces whose connection, and how often. A newer connection of an executor replaces the older one:
 * that is how one comes back whose network has changed, before anybody has noticed. But two machines that
 * use one registration token replace each other for ever, and no turn on either lasts. After the fourth time
 * within a minute the executor is *contested*: for a minute the connection that is there stays, and whoever
 * else comes is refused. A contest that has been over for less than a minute goes on with the next
 * replacement.
 *
 * Only a connection that lives is kept: the runtime's pings find a dead one within two intervals, and where
 * there is none a newcomer is no replacement.
 */
export class Contention {
  readonly #now: () => number;
  readonly #arrivals = new WeakMap<object, Arrival>();
  /** Of those that were replaced or contested lately. */
  readonly #histories = new Map<string, History>();
  #replacements = 0;

  /** @param now a clock in milliseconds that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** How many connections were replaced, of all executors. */
  get replacements(): number {
    return this.#replacements;
  }

  /** How many executors are contested. */
  get contested(): number {
    const now = this.#now();
    return [...this.#histories.values()].filter(({ keptUntil }) => keptUntil > now).length;
  }

  /** For how long an executor is contested yet, in milliseconds; 0 when it is not. */
  contestedForMs(exeId: string): number {
    const keptUntil = this.#histories.get(exeId)?.keptUntil ?? -Infinity;
    return Math.max(0, keptUntil - this.#now());
  }

  /**
   * Takes note of an executor's new connection.
   *
   * @param remote the address that it came from
   * @param evicted the connection whose place it took, if there was one
   * @returns what became of that one
   */
  arrived(exeId: string, conn: object, remote: string, evicted?: object): Replacement | undefined {
    const now = this.#now();
    this.#arrivals.set(conn, { remote, at: now });
    const earlier = evicted && this.#arrivals.get(evicted);
    if (earlier === undefined) return undefined;
    this.#replacements++;
    this.#prune(now);
    const history = this.#histories.get(exeId) ?? { replacedAt: [], keptUntil: -Infinity };
    this.#histories.set(exeId, history);
    history.replacedAt.push(now);
    const lately = history.replacedAt.length;
    const beginsContest = history.keptUntil <= now &&
      (lately >= MANY || now - history.keptUntil < WITHIN_MS);
    if (beginsContest) history.keptUntil = now + KEPT_MS;
    return { earlierRemote: earlier.remote, earlierAgeMs: now - earlier.at, lately, beginsContest };
  }

  #prune(now: number): void {
    for (const [exeId, history] of this.#histories) {
      history.replacedAt = history.replacedAt.filter((at) => now - at < WITHIN_MS);
      const isOver = now - history.keptUntil >= WITHIN_MS;
      if (history.replacedAt.length === 0 && isOver) this.#histories.delete(exeId);
    }
  }
}
