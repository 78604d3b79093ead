/**
 * How many failed handshakes one turn may cause on one connection of a Noise executor. The executor
 * counts them for the whole connection: at the eighth, 0.142.5 drops it and 0.169 refuses every
 * handshake for ten seconds (both seen). One turn must not use that up for the others.
 */
const MAX_FAILED = 4;

/**
 * How long a handshake whose harness has gone counts as under way, in milliseconds. The executor
 * answers a bad one within a few, and one that was cancelled while it was being validated never.
 */
const ORPHAN_MS = 2_000;

interface Pending {
  readonly turnId: string;
  orphanTimer?: ReturnType<typeof setTimeout>;
}

interface Waiting {
  readonly streamId: string;
  readonly send: () => void;
  readonly refuse: () => void;
}

/**
 * Stands between harnesses and a Noise executor and counts, turn by turn, the handshakes that the
 * executor refused. It needs no key for that: an executor answers a good handshake with a Handshake
 * and a bad one with a Reset.
 *
 * So that a turn cannot send more bad handshakes at once than it may, only as many of its handshakes
 * are under way as could still fail; the others wait for an answer to one of them.
 */
export class HandshakeGate {
  readonly #failed = new Map<string, number>();
  readonly #pending = new Map<string, Pending>();
  readonly #waiting = new Map<string, Waiting[]>();

  /** Whether the turn may still try. */
  admits(turnId: string): boolean {
    return (this.#failed.get(turnId) ?? 0) < MAX_FAILED;
  }

  /**
   * Lets a turn's handshake through, now or when one of its others is answered.
   *
   * @param send passes it on; called at most once
   * @param refuse called instead when the turn has failed too often
   */
  offer(turnId: string, streamId: string, send: () => void, refuse: () => void): void {
    const waiting = this.#waiting.get(turnId) ?? [];
    this.#waiting.set(turnId, waiting);
    waiting.push({ streamId, send, refuse });
    this.#pump(turnId);
  }

  /** Whether a stream's handshake is waiting to be sent. */
  isWaiting(turnId: string, streamId: string): boolean {
    return this.#waiting.get(turnId)?.some((waiting) => waiting.streamId === streamId) ?? false;
  }

  /** The executor answered on a stream: with a Handshake, or with a Reset. */
  answered(streamId: string, accepted: boolean): void {
    const pending = this.#pending.get(streamId);
    if (pending === undefined) return;
    clearTimeout(pending.orphanTimer);
    this.#pending.delete(streamId);
    const { turnId } = pending;
    if (!accepted) this.#failed.set(turnId, (this.#failed.get(turnId) ?? 0) + 1);
    this.#pump(turnId);
  }

  /** A stream ended before the executor answered on it. */
  abandoned(turnId: string, streamId: string): void {
    const waiting = this.#waiting.get(turnId);
    const index = waiting?.findIndex((one) => one.streamId === streamId) ?? -1;
    if (index >= 0) waiting!.splice(index, 1);
    const pending = this.#pending.get(streamId);
    if (pending === undefined) return;
    pending.orphanTimer = setTimeout(() => {
      if (this.#pending.get(streamId) === pending) this.#pending.delete(streamId);
      this.#pump(turnId);
    }, ORPHAN_MS);
    Deno.unrefTimer(pending.orphanTimer);
  }

  #pump(turnId: string): void {
    const waiting = this.#waiting.get(turnId);
    while (waiting !== undefined && waiting.length > 0) {
      if (!this.admits(turnId)) {
        waiting.shift()!.refuse();
        continue;
      }
      const underWay = [...this.#pending.values()].filter((one) => one.turnId === turnId).length;
      if (underWay + (this.#failed.get(turnId) ?? 0) >= MAX_FAILED) return;
      const { streamId, send } = waiting.shift()!;
      this.#pending.set(streamId, { turnId });
      send();
    }
    this.#waiting.delete(turnId);
  }
}
