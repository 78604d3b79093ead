import type { Ending } from "./close_codes.ts";

/** Ends a bridge: what its harness reads is the ending. */
export type EndBridge = (ending: Ending) => void;

/** Told how many bridges are about to end, so that the cause can be said before its effects. */
export type BeforeEnding = (bridges: number) => void;

/** How long a turn's bridge counts as ended just now, in milliseconds: codex resumes for 45 s at most. */
export const JUST_ENDED_MS = 120_000;

/** How many bridges that ended are remembered; beyond it the oldest are forgotten. */
const MAX_REMEMBERED = 10_000;

/**
 * The bridges that are up, by turn, so that a revoked turn's can be ended; and those that ended just now,
 * so that a turn can go on.
 */
export class LiveTurns {
  /** Each bridge with the executor that it leads to. */
  readonly #bridges = new Map<string, Map<EndBridge, string>>();
  /** When the last bridge of a turn to an executor ended, oldest first. */
  readonly #ended = new Map<string, { readonly turnId: string; readonly at: number }>();
  readonly #maxRemembered: number;

  /** @param maxRemembered how many that ended are remembered */
  constructor(maxRemembered = MAX_REMEMBERED) {
    this.#maxRemembered = maxRemembered;
  }

  /** Keeps a turn's bridge to an executor until {@linkcode LiveTurns.remove}. */
  add(turnId: string, exeId: string, end: EndBridge): void {
    const bridges = this.#bridges.get(turnId) ?? new Map();
    this.#bridges.set(turnId, bridges.set(end, exeId));
  }

  /** The bridge has ended. */
  remove(turnId: string, end: EndBridge): void {
    const bridges = this.#bridges.get(turnId);
    const exeId = bridges?.get(end);
    if (bridges === undefined || exeId === undefined) return;
    bridges.delete(end);
    if (bridges.size === 0) this.#bridges.delete(turnId);
    this.#noteEnded(turnId, exeId);
  }

  /** How many bridges a turn has to an executor. */
  count(turnId: string, exeId: string): number {
    let count = 0;
    for (const each of this.#bridges.get(turnId)?.values() ?? []) if (each === exeId) count++;
    return count;
  }

  /**
   * Ends every bridge of a turn, which must not go on; returns how many there were.
   *
   * @param before told how many before they end
   */
  end(turnId: string, ending: Ending, before?: BeforeEnding): number {
    const bridges = [...this.#bridges.get(turnId)?.keys() ?? []];
    before?.(bridges.length);
    for (const end of bridges) end(ending);
    for (const [key, ended] of this.#ended) if (ended.turnId === turnId) this.#ended.delete(key);
    return bridges.length;
  }

  /**
   * Whether the turn has a bridge to the executor, or had one until {@linkcode JUST_ENDED_MS} ago and was
   * not ended since.
   */
  goesOn(turnId: string, exeId: string): boolean {
    for (const each of this.#bridges.get(turnId)?.values() ?? []) if (each === exeId) return true;
    const ended = this.#ended.get(keyOf(turnId, exeId));
    return ended !== undefined && performance.now() - ended.at < JUST_ENDED_MS;
  }

  #noteEnded(turnId: string, exeId: string): void {
    const key = keyOf(turnId, exeId);
    const now = performance.now();
    // To the end of the order.
    this.#ended.delete(key);
    this.#ended.set(key, { turnId, at: now });
    for (const [oldest, { at }] of this.#ended) {
      if (this.#ended.size <= this.#maxRemembered && now - at < JUST_ENDED_MS) break;
      this.#ended.delete(oldest);
    }
  }
}

function keyOf(turnId: string, exeId: string): string {
  return JSON.stringify([turnId, exeId]);
}
