import { CLOCK_LEEWAY_S } from "../auth/capability_token.ts";
import { log } from "../log/logging.ts";
import { steadyUnixSeconds } from "../time/steady_clock.ts";
import type { RevokedWorkspace, WatchedEndings } from "../store/watched_endings.ts";

/** How often what has expired is forgotten, in milliseconds. */
const PRUNE_MS = 60_000;

/** What it needs of the store. */
type Kept = Pick<WatchedEndings, "revokeWorkspace" | "revokedWorkspaces" | "prune">;

/**
 * The workspaces that were revoked. All of them are in memory, where a bridge is judged without a query: only
 * whoever holds the internal secret makes more.
 *
 * A token is judged by when it says that it was issued, so that a workspace can go on with new ones.
 */
export class RevokedWorkspaces {
  readonly #store: Kept;
  readonly #keptS: number;
  readonly #revoked = new Map<string, RevokedWorkspace>();

  private constructor(store: Kept, keptS: number) {
    this.#store = store;
    this.#keptS = keptS;
  }

  /**
   * Loads those in force from the store.
   *
   * @param keptS how long a revocation is kept, in seconds: as long as a token can live
   */
  static async load(store: Kept, keptS: number): Promise<RevokedWorkspaces> {
    const workspaces = new RevokedWorkspaces(store, keptS);
    for (const revoked of await store.revokedWorkspaces()) workspaces.#remember(revoked);
    return workspaces;
  }

  /**
   * Revokes the tokens of a workspace that were issued until now. They are refused from the call on; resolves
   * when the store has it too.
   */
  async revoke(workspace_id: string): Promise<RevokedWorkspace> {
    const now = steadyUnixSeconds();
    this.#remember({ workspace_id, issued_until: now, exp: now + this.#keptS });
    const kept = await this.#store.revokeWorkspace(workspace_id, this.#keptS);
    this.#remember(kept);
    return this.#revoked.get(workspace_id) ?? kept;
  }

  /**
   * Whether a token is revoked with its workspace.
   *
   * @param issuedAt its `iat`, in unix seconds: one that lies in the future tells nothing
   */
  isRevoked(workspaceId: string, issuedAt = 0): boolean {
    const revoked = this.#revoked.get(workspaceId);
    if (revoked === undefined) return false;
    return issuedAt <= revoked.issued_until || issuedAt > steadyUnixSeconds() + CLOCK_LEEWAY_S;
  }

  /**
   * Asks what was revoked in the last `seconds`.
   *
   * @param onRevoked told of each workspace that another process revoked
   */
  async catchUp(seconds: number, onRevoked: (revoked: RevokedWorkspace) => void): Promise<void> {
    for (const revoked of await this.#store.revokedWorkspaces(seconds)) {
      if (this.#remember(revoked)) onRevoked(revoked);
    }
  }

  /** Forgets what has expired, at an interval, until `stop` is aborted. */
  startPruner(stop: AbortSignal): void {
    const timer = setInterval(() => this.#prune(), PRUNE_MS);
    Deno.unrefTimer(timer);
    stop.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  /** @returns whether it says more than what was known */
  #remember({ workspace_id, issued_until, exp }: RevokedWorkspace): boolean {
    const known = this.#revoked.get(workspace_id);
    if (known !== undefined && known.issued_until >= issued_until) return false;
    this.#revoked.set(workspace_id, {
      workspace_id,
      issued_until,
      exp: Math.max(exp, known?.exp ?? 0),
    });
    return true;
  }

  async #prune(): Promise<void> {
    const now = steadyUnixSeconds();
    for (const [id, { exp }] of this.#revoked) if (exp < now) this.#revoked.delete(id);
    try {
      await this.#store.prune(now);
    } catch (error) {
      log.warn("could not forget expired revocations", { error: `${error}` });
    }
  }
}
