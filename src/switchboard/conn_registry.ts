/** How long the registry remembers when an executor's socket closed, in milliseconds. */
export const REMEMBERED_MS = 300_000;

interface Entry<Conn> {
  conn: Conn;
  /** Who holds the bridge lock. */
  holder: object | undefined;
  /** Since when, in unix milliseconds. */
  heldSince: number;
}

/** When an executor's socket closed, and whether it comes again of itself. */
interface Left {
  readonly at: number;
  readonly dialsAgain: boolean;
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
  readonly #left = new Map<string, Left>();
  readonly #arrivals = new Map<string, Set<(conn?: Conn) => void>>();
  readonly #dialsAgain: (conn: Conn) => boolean;

  /**
   * @param dialsAgain whether who had a connection dials again of itself, for as long as it takes
   */
  constructor(dialsAgain: (conn: Conn) => boolean = () => false) {
    this.#dialsAgain = dialsAgain;
  }

  /**
   * Makes `conn` the executor's connection and frees its bridge lock: a session on the old connection
   * must not go on.
   *
   * @returns the connection it replaces, if any, which the caller must close
   */
  register(exeId: string, conn: Conn): Conn | undefined {
    const evicted = this.#entries.get(exeId)?.conn;
    this.#entries.set(exeId, { conn, holder: undefined, heldSince: 0 });
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
    this.#noteLeft(exeId, conn);
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
    entry.heldSince = Date.now();
    return true;
  }

  /** Since when the executor's bridge lock is held; `undefined` when nobody holds it. */
  heldSince(exeId: string): Date | undefined {
    const entry = this.#entries.get(exeId);
    return entry?.holder === undefined ? undefined : new Date(entry.heldSince);
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
    const left = this.#left.get(exeId);
    return left && performance.now() - left.at;
  }

  /** Whether the executor whose socket closed dials again of itself, as far as that is remembered. */
  dialsAgain(exeId: string): boolean {
    return this.#left.get(exeId)?.dialsAgain ?? false;
  }

  /** Expects the executor back no more, nor lets anybody wait for it: it was removed. */
  forget(exeId: string): void {
    this.#left.delete(exeId);
    for (const giveUp of [...this.#arrivals.get(exeId) ?? []]) giveUp();
  }

  /**
   * The executor's connection, now or as soon as it dials in.
   *
   * @param timeoutMs how long to wait, in milliseconds
   * @param signal ends the waiting early
   * @returns `undefined` when it did not come, or is expected no more
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

  #noteLeft(exeId: string, conn: Conn): void {
    const now = performance.now();
    // To the end of the order.
    this.#left.delete(exeId);
    this.#left.set(exeId, { at: now, dialsAgain: this.#dialsAgain(conn) });
    for (const [id, { at }] of this.#left) {
      if (now - at <= REMEMBERED_MS) break;
      this.#left.delete(id);
    }
  }
}
