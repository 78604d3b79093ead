import type { Ending } from "./close_codes.ts";
import type { BeforeEnding, EndBridge } from "./live_turns.ts";

/** A bridge of a workspace. */
interface Entry {
  readonly exeId: string;
  /** When the token that it was opened with was issued, in unix seconds. */
  readonly issuedAt: number;
}

/** The bridges that are up, by workspace, so that a revoked one's can be ended. */
export class LiveWorkspaces {
  readonly #bridges = new Map<string, Map<EndBridge, Entry>>();

  /** Keeps a workspace's bridge until {@linkcode LiveWorkspaces.remove}. */
  add(workspaceId: string, exeId: string, issuedAt: number, end: EndBridge): void {
    const bridges = this.#bridges.get(workspaceId) ?? new Map();
    this.#bridges.set(workspaceId, bridges.set(end, { exeId, issuedAt }));
  }

  /** The bridge has ended. */
  remove(workspaceId: string, end: EndBridge): void {
    const bridges = this.#bridges.get(workspaceId);
    bridges?.delete(end);
    if (bridges?.size === 0) this.#bridges.delete(workspaceId);
  }

  /**
   * Ends the bridges of a workspace.
   *
   * @param isRevoked by when its token was issued
   * @param before told how many before they end
   * @returns how many there were
   */
  end(
    workspaceId: string,
    isRevoked: (issuedAt: number) => boolean,
    ending: Ending,
    before?: BeforeEnding,
  ): number {
    const revoked = [...this.#bridges.get(workspaceId) ?? []]
      .filter(([, { issuedAt }]) => isRevoked(issuedAt));
    before?.(revoked.length);
    for (const [end] of revoked) end(ending);
    return revoked.length;
  }

  /** How many bridges the workspace has to an executor. */
  count(workspaceId: string, exeId: string): number {
    const bridges = this.#bridges.get(workspaceId)?.values() ?? [];
    return [...bridges].filter((bridge) => bridge.exeId === exeId).length;
  }
}
