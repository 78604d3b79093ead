import { log } from "../log/logging.ts";
import { steadyUnixSeconds } from "../time/steady_clock.ts";
import type { Store } from "../store/store.ts";
import { RevokedSet } from "./revoked_set.ts";

/** How often expired revocations are forgotten, in milliseconds. */
const PRUNE_MS = 60_000;

/** What revocations need of the store. */
type RevokedTurns = Pick<
  Store,
  "revokeTurn" | "isTurnRevoked" | "revokedTurns" | "turnsRevokedLately" | "pruneRevokedTurns"
>;

/**
 * The turns that were revoked: in memory, where a bridge is judged without a query, and in the store,
 * which outlives the process and keeps those that memory has no room for.
 */
export class Revocations {
  readonly #store: RevokedTurns;
  readonly #set: RevokedSet;
  readonly #keptS: number;
  /** Whether memory has every revocation that is in force. */
  #complete: boolean;

  private constructor(store: RevokedTurns, set: RevokedSet, keptS: number, complete: boolean) {
    this.#store = store;
    this.#set = set;
    this.#keptS = keptS;
    this.#complete = complete;
  }

  /**
   * Loads those in force from the store.
   *
   * @param capacity how many memory holds at most
   * @param keptS how long a revocation is kept at the least, in seconds: as long as a token can live
   */
  static async load(store: RevokedTurns, capacity: number, keptS: number): Promise<Revocations> {
    const newestFirst = await store.revokedTurns(capacity + 1);
    const set = new RevokedSet(capacity);
    for (const { turn_id, exp } of newestFirst.slice(0, capacity).reverse()) set.add(turn_id, exp);
    return new Revocations(store, set, keptS, newestFirst.length <= capacity);
  }

  /**
   * Revokes a turn for as long as a token of it could be good. It is refused from the call on; resolves
   * when the store has it too.
   *
   * @param exp until when at the least, in unix seconds
   * @returns until when, in unix seconds
   */
  async revoke(turnId: string, exp?: number): Promise<number> {
    this.#remember(turnId, Math.max(exp ?? 0, steadyUnixSeconds() + this.#keptS));
    return await this.#store.revokeTurn(turnId, this.#keptS, exp);
  }

  /** Whether memory knows that the turn was revoked; that it does not may mean nothing. */
  isKnown(turnId: string): boolean {
    return this.#set.contains(turnId);
  }

  /** Whether the turn was revoked. */
  async isRevoked(turnId: string): Promise<boolean> {
    if (this.#set.contains(turnId)) return true;
    return !this.#complete && await this.#store.isTurnRevoked(turnId);
  }

  /** Forgets what has expired, at an interval, until `stop` is aborted. */
  startPruner(stop: AbortSignal): void {
    this.#set.startPruner(stop, PRUNE_MS);
    const timer = setInterval(() => this.#pruneStore(), PRUNE_MS);
    Deno.unrefTimer(timer);
    stop.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  /**
   * Asks what was revoked in the last `seconds`.
   *
   * @param onRevoked told of each turn that another process revoked
   */
  async catchUp(seconds: number, onRevoked: (turnId: string) => void): Promise<void> {
    for (const { turn_id, exp } of await this.#store.turnsRevokedLately(seconds)) {
      if (this.#set.contains(turn_id)) continue;
      this.#remember(turn_id, exp);
      onRevoked(turn_id);
    }
  }

  #remember(turnId: string, exp: number): void {
    if (this.#set.add(turnId, exp) && this.#complete) {
      this.#complete = false;
      log.warn("memory has no room for every revoked turn: the store is asked from now on", {
        size: this.#set.size,
      });
    }
  }

  async #pruneStore(): Promise<void> {
    try {
      await this.#store.pruneRevokedTurns(steadyUnixSeconds());
    } catch (error) {
      log.warn("could not forget expired revocations", { error: `${error}` });
    }
  }
}
