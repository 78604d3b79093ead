import { log } from "./logging.ts";

/** How often executors that stay connected are marked as seen, in milliseconds. */
const HEARTBEAT_MS = 60_000;

/** Where the marks go: the store's `updateLastSeen`. */
type Write = (...exeIds: string[]) => Promise<string[]>;

/**
 * Marks executors as seen: when they connect, when they disconnect, and once a minute in between, so
 * that after a crash the store still tells who had been connected not long before.
 *
 * One statement is under way at a time and takes all that have come up since: a thousand executors
 * that leave together cost a few statements.
 */
export class LastSeen {
  readonly #write: Write;
  readonly #onUnknown: (exeId: string) => void;
  #due = new Set<string>();
  #writing: Promise<void> | undefined;

  /**
   * @param write marks executors as seen now; returns the ids of those that exist
   * @param onUnknown told of each marked executor that the store does not know (any more)
   */
  constructor(write: Write, onUnknown: (exeId: string) => void) {
    this.#write = write;
    this.#onUnknown = onUnknown;
  }

  /** Marks executors as seen, soon. */
  note(...exeIds: string[]): void {
    for (const exeId of exeIds) this.#due.add(exeId);
    if (this.#due.size > 0) this.#writing ??= this.#writeDue();
  }

  /** Marks those that `connectedIds` names once a minute, until `stop` is aborted. */
  startHeartbeat(connectedIds: () => string[], stop: AbortSignal): void {
    const timer = setInterval(() => this.note(...connectedIds()), HEARTBEAT_MS);
    Deno.unrefTimer(timer);
    stop.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  /** Resolves when all that was noted is written, or has failed to be. */
  async drain(): Promise<void> {
    await this.#writing;
  }

  async #writeDue(): Promise<void> {
    while (this.#due.size > 0) {
      const exeIds = [...this.#due];
      this.#due = new Set();
      try {
        const known = new Set(await this.#write(...exeIds));
        for (const exeId of exeIds) if (!known.has(exeId)) this.#onUnknown(exeId);
      } catch (error) {
        // Not worth a retry: those that are still connected are marked again within a minute.
        log.warn("could not mark executors as seen", { count: exeIds.length, error: `${error}` });
      }
    }
    this.#writing = undefined;
  }
}
