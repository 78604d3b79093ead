/** The marks of when an executor was seen last. */

import { log } from "../log/logging.ts";
import type { Sighting } from "../model.ts";
import type { SwitchboardEvent } from "../switchboard/events.ts";
import type { ExecutorLink } from "../switchboard/executor_link.ts";

/** How often executors that stay connected are marked as seen, in milliseconds. */
const HEARTBEAT_MS = 60_000;

/** Where the marks go: the store's `noteSeen`. */
type Write = (sightings: readonly Sighting[]) => Promise<string[]>;

/**
 * Marks executors, and the registrations that they came by, as seen: when they connect, when they
 * disconnect, and once a minute in between, so that after a crash the store still tells who had been
 * connected not long before, and whose ticket is good.
 *
 * One statement is under way at a time and takes all that have come up since: a thousand executors
 * that leave together cost a few statements.
 */
export class LastSeen {
  readonly #write: Write;
  readonly #onUnknown: (exeId: string) => void;
  /** What is to be written, by executor and registration. */
  #due = new Map<string, Sighting>();
  #writing: Promise<void> | undefined;

  /**
   * @param write marks executors as seen now; returns the ids of those that exist
   * @param onUnknown told of each marked executor that the store does not know (any more)
   */
  constructor(write: Write, onUnknown: (exeId: string) => void) {
    this.#write = write;
    this.#onUnknown = onUnknown;
  }

  /** Marks an executor that comes or goes. */
  heed(event: SwitchboardEvent): void {
    if (event.type === "executor connected") {
      this.note({ ...sightingOf(event.connection.link), dialled: true });
    } else if (event.type === "executor left") {
      this.note(sightingOf(event.connection.link));
    }
  }

  /** Marks executors as seen, soon. */
  note(...sightings: Sighting[]): void {
    for (const sighting of sightings) {
      const key = JSON.stringify([sighting.exe_id, sighting.registration_id]);
      const dialled = sighting.dialled || this.#due.get(key)?.dialled;
      this.#due.set(key, { ...sighting, ...dialled && { dialled } });
    }
    if (this.#due.size > 0) this.#writing ??= this.#writeDue();
  }

  /** Marks those that `connected` returns once a minute, until `stop` is aborted. */
  startHeartbeat(connected: () => Sighting[], stop: AbortSignal): void {
    const timer = setInterval(() => this.note(...connected()), HEARTBEAT_MS);
    Deno.unrefTimer(timer);
    stop.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  /** Resolves when all that was noted is written, or has failed to be. */
  async drain(): Promise<void> {
    await this.#writing;
  }

  async #writeDue(): Promise<void> {
    while (this.#due.size > 0) {
      const sightings = [...this.#due.values()];
      this.#due = new Map();
      try {
        const known = new Set(await this.#write(sightings));
        const unknown = new Set(sightings.map(({ exe_id }) => exe_id)).difference(known);
        for (const exeId of unknown) this.#onUnknown(exeId);
      } catch (error) {
        // Not worth a retry: those that are still connected are marked again within a minute.
        log.warn("could not mark executors as seen", {
          count: sightings.length,
          error: `${error}`,
        });
      }
    }
    this.#writing = undefined;
  }
}

/** That an executor is seen on a link, or was until now. */
export function sightingOf(
  { exeId, registration }: Pick<ExecutorLink, "exeId" | "registration">,
): Sighting {
  return {
    exe_id: exeId,
    ...registration !== undefined && { registration_id: registration.registration_id },
  };
}
