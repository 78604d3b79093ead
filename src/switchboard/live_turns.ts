import type { Ending } from "./endings.ts";

/** Ends a bridge: what its harness reads is the ending. */
export type EndBridge = (ending: Ending) => void;

/** The bridges that are up, by turn, so that a revoked turn's can be ended. */
export class LiveTurns {
  readonly #bridges = new Map<string, Set<EndBridge>>();

  /** Keeps a turn's bridge until {@linkcode LiveTurns.remove}. */
  add(turnId: string, end: EndBridge): void {
    const bridges = this.#bridges.get(turnId) ?? new Set();
    this.#bridges.set(turnId, bridges.add(end));
  }

  remove(turnId: string, end: EndBridge): void {
    const bridges = this.#bridges.get(turnId);
    bridges?.delete(end);
    if (bridges?.size === 0) this.#bridges.delete(turnId);
  }

  /** Ends every bridge of a turn; returns how many there were. */
  end(turnId: string, ending: Ending): number {
    const bridges = [...this.#bridges.get(turnId) ?? []];
    for (const end of bridges) end(ending);
    return bridges.length;
  }
}
