import { log } from "../log/logging.ts";
import type { Store } from "../store/store.ts";
import { REMOVED, TOKEN_REPLACED } from "../switchboard/close_codes.ts";
import type { SwitchboardEvent } from "../switchboard/events.ts";
import type { Switchboard } from "../switchboard/switchboard.ts";

/** What it needs of the store. */
interface Asked {
  readonly endings: Pick<Store["endings"], "executorChanges">;
  readonly getRegistrationTokenHash: Store["getRegistrationTokenHash"];
}

/** Where it ends connections. */
type Ended = Pick<Switchboard, "connectionOf" | "expel">;

/**
 * Ends the connections of executors that were removed, or were given another registration token, by whomever:
 * another gateway process, or a platform that writes the table itself.
 *
 * Whether a connection has to end is judged by the token that it was let in with, so that one that came by
 * the new token stays however late the news is.
 */
export class ExecutorWatch {
  readonly #store: Asked;
  readonly #switchboard: Ended;
  /** The changes that were judged, as far back as the store still tells of them. */
  #judged = new Set<string>();
  /** Whom they were about: one of them may have been let in before, and arrive after. */
  #changed = new Set<string>();

  constructor(store: Asked, switchboard: Ended) {
    this.#store = store;
    this.#switchboard = switchboard;
  }

  /** Asks who was changed in the last `seconds`, and ends what has to end. */
  async catchUp(seconds: number): Promise<void> {
    const changes = await this.#store.endings.executorChanges(seconds);
    this.#changed = new Set(changes.map(({ exe_id }) => exe_id));
    const news = changes.filter(({ change_id }) => !this.#judged.has(change_id));
    for (const exeId of new Set(news.map(({ exe_id }) => exe_id))) await this.#judge(exeId);
    this.#judged = new Set(changes.map(({ change_id }) => change_id));
  }

  /** To be told of what happens on the switchboard. */
  heed(event: SwitchboardEvent): void {
    if (event.type !== "executor connected") return;
    const { exeId } = event.connection.link;
    if (!this.#changed.has(exeId)) return;
    this.#judge(exeId).catch((error) => {
      log.warn("could not look up an executor that was changed", {
        exe_id: exeId,
        error: `${error}`,
      });
    });
  }

  async #judge(exeId: string): Promise<void> {
    const connection = this.#switchboard.connectionOf(exeId);
    if (connection === undefined) return;
    const hash = await this.#store.getRegistrationTokenHash(exeId);
    // Another one may have taken its place meanwhile: that one was judged when it came.
    if (hash === connection.proof || this.#switchboard.connectionOf(exeId) !== connection) return;
    const ending = hash === undefined ? REMOVED : TOKEN_REPLACED;
    log.info("executor ended elsewhere", { exe_id: exeId, reason: ending.reason });
    this.#switchboard.expel(exeId, ending);
  }
}
