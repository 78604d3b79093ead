/** How long the registry remembers when an executor's socket closed, in milliseconds. */
export const REMEMBERED_MS = 120_000;

interface Entry<Conn> {
  conn: Conn;
  /** Who holds the bridge lock. */
  holder: object | undefined;
}

/**
 * The one live connection of each executor, the lock of its exclusive bridge, and who is waited for.
 *
 * A release of the lock names its holder, as an `unregister` names its connection: a session whose
 * executor was replaced must not free the lock of its successor.
 */
export class ConnRegistry<Conn extends object> {
  readonly #entries = new Map<string, Entry<Conn>>();
  /** When each executor's socket closed, oldest first; only of the last {@linkcode REMEMBERED_MS}. */
  readonly #left = new Map<string, number>();
  readonly #arrivals = new Map<string, Set<(conn: Conn) => void>>();

  /**
   * Makes `conn` the executor's connection and frees its bridge lock: a session on the old connection
   * must not go on.
   *
   * @returns the connection it replaces, if any, which the caller must close
   */
  register(exeId: string, conn: Conn): Conn | undefined {
    const evicted = this.#entries.get(exeId)?.conn;
    this.#entries.set(exeId, { conn, holder: undefined });
    this.#left.delete(exeId);
    const waiting = this.#arrivals.get(exeId);
    this.#arrivals.delete(exeId);
    for (const arrived of waiting ?? []) arrived(conn);
    return evicted;
  }

  /** The executor's connection, if it has one. */
  lookup(exeId: string): Conn | undefined {
    return this.#entries.get(exeId)?.conn;
  }

  /**
   * Removes the executor's connection if it is still `conn`: the end of an old one must not remove
   * its successor.
   *
   * @returns whether it was
   */
  unregister(exeId: string, conn: Conn): boolean {
    if (this.#entries.get(exeId)?.conn !== conn) return false;
    this.#entries.delete(exeId);
    this.#noteLeft(exeId);
    return true;
  }

  /** A snapshot of the ids of the executors that are connected. */
  connectedIds(): string[] {
    return [...this.#entries.keys()];
  }

  /**
   * Takes the executor's bridge lock for `holder`, who must release it.
   *
   * @returns false when another session holds it, or the executor is not connected
   */
  acquireBridge(exeId: string, holder: object): boolean {
    const entry = this.#entries.get(exeId);
    if (entry === undefined || entry.holder !== undefined) return false;
    entry.holder = holder;
    return true;
  }

  /** Releases the executor's bridge lock if `holder` holds it. Idempotent. */
  releaseBridge(exeId: string, holder: object): void {
    const entry = this.#entries.get(exeId);
    if (entry?.holder === holder) entry.holder = undefined;
  }

  /**
   * How long ago the executor's socket closed, in milliseconds; `undefined` when that was not here, or
   * longer ago than {@linkcode REMEMBERED_MS}.
   */
  leftMsAgo(exeId: string): number | undefined {
    const leftAt = this.#left.get(exeId);
    return leftAt === undefined ? undefined : performance.now() - leftAt;
  }

  /** Expects the executor back no more: it was removed. */
  forget(exeId: string): void {
    this.#left.delete(exeId);
  }

  /**
   * The executor's connection, now or as soon as it dials in.
   *
   * @param timeoutMs how long to wait, in milliseconds
   * @param signal ends the waiting early
   * @returns `undefined` when it did not come
   */
  waitFor(exeId: string, timeoutMs: number, signal: AbortSignal): Promise<Conn | undefined> {
    const conn = this.lookup(exeId);
    if (conn !== undefined || signal.aborted) return Promise.resolve(conn);
    return new Promise((resolve) => {
      const settle = (conn?: Conn) => {
        clearTimeout(timer);
        signal.removeEventListener("abort", giveUp);
        const waiting = this.#arrivals.get(exeId);
        waiting?.delete(settle);
        if (waiting?.size === 0) this.#arrivals.delete(exeId);
        resolve(conn);
      };
      const giveUp = () => settle();
      const timer = setTimeout(giveUp, timeoutMs);
      signal.addEventListener("abort", giveUp);
      const waiting = this.#arrivals.get(exeId) ?? new Set();
      this.#arrivals.set(exeId, waiting.add(settle));
    });
  }

  #noteLeft(exeId: string): void {
    const now = performance.now();
    this.#left.set(exeId, now);
    for (const [id, leftAt] of this.#left) {
      if (now - leftAt <= REMEMBERED_MS) break;
      this.#left.delete(id);
    }
  }
}
