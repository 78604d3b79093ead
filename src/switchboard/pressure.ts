import { STUCK_MS } from "./least_rate.ts";
import type { PeerSocket } from "./peer_socket.ts";
import { LOW_PART, type Side, type Wire } from "./wire.ts";

/** How soon after a sender was held it is looked at first, and how seldom at the most, in milliseconds. */
const FIRST_LOOK_MS = 1;
const SELDOM_LOOK_MS = 8;

/** A peer that reads slowly, and the wires whose senders are held for it. */
interface Slow {
  readonly wires: Set<Wire>;
  /** What it had taken when it last took anything, and when that was. */
  taken: number;
  movedAt: number;
}

/**
 * Holds those who send faster than their peers read, until what waits has gone down. The runtime tells
 * nobody when it has, so it is looked at, and only while somebody is held.
 *
 * It knows of no bridge: what is to be done about a peer that takes nothing, its wires know.
 */
export class Pressure {
  readonly #slow = new Map<PeerSocket, Slow>();
  readonly #stuckMs: number;
  readonly #seconds: Record<Side, number> = { executor: 0, harness: 0 };
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pauseMs = FIRST_LOOK_MS;
  #lookedAt = 0;

  /** @param stuckMs how long a peer may take nothing of what waits for it; tests make it shorter */
  constructor(stuckMs = STUCK_MS) {
    this.#stuckMs = stuckMs;
  }

  /** How many wires are held now, by who sends on them. */
  get held(): Record<Side, number> {
    const held = { executor: 0, harness: 0 };
    for (const { wires } of this.#slow.values()) for (const { side } of wires) held[side]++;
    return held;
  }

  /** How long wires were held since the process began, all of them together, in seconds, by who sends. */
  get seconds(): Readonly<Record<Side, number>> {
    return this.#seconds;
  }

  /** Holds the sender of a wire until enough has gone. */
  hold(wire: Wire): void {
    let slow = this.#slow.get(wire.to);
    if (slow === undefined) {
      slow = { wires: new Set(), taken: wire.to.takenBytes, movedAt: performance.now() };
      this.#slow.set(wire.to, slow);
    }
    if (slow.wires.has(wire)) return;
    slow.wires.add(wire);
    wire.from.hold(wire);
    this.#lookIn(FIRST_LOOK_MS);
  }

  /** Forgets a wire, whose bridge has ended; its sender is held for its sake no more. */
  drop(wire: Wire): void {
    const slow = this.#slow.get(wire.to);
    if (!slow?.wires.delete(wire)) return;
    if (slow.wires.size === 0) this.#slow.delete(wire.to);
    wire.from.release(wire);
  }

  #lookIn(ms: number): void {
    this.#pauseMs = ms;
    if (this.#timer !== undefined) return;
    this.#lookedAt = performance.now();
    this.#timer = setTimeout(() => this.#look(), ms);
  }

  #look(): void {
    this.#timer = undefined;
    const now = performance.now();
    const passedMs = now - this.#lookedAt;
    let released = false;
    // Endings drop wires, and with them entries.
    for (const [to, slow] of [...this.#slow]) {
      for (const wire of slow.wires) {
        this.#seconds[wire.side] += passedMs / 1000;
        wire.heldMs += passedMs;
      }
      const waiting = to.bufferedAmount;
      const isLow = [...slow.wires].every((wire) => waiting <= wire.lowMark);
      if (to.isOver || isLow && !to.isOverBudget(LOW_PART)) {
        this.#release(to, slow);
        released = true;
        continue;
      }
      if (to.takenBytes > slow.taken) {
        slow.taken = to.takenBytes;
        slow.movedAt = now;
      } else if (now - slow.movedAt >= this.#stuckMs && !to.takesLargeFrame(now)) {
        this.#release(to, slow);
        for (const wire of slow.wires) wire.onStuck();
        continue;
      }
      // One that is held for the budget's sake only may read as fast as any.
      if (!isLow) { for (const wire of slow.wires) wire.onHeld(passedMs, now); }
    }
    if (this.#slow.size === 0) return;
    this.#lookIn(released ? FIRST_LOOK_MS : Math.min(2 * this.#pauseMs, SELDOM_LOOK_MS));
  }

  #release(to: PeerSocket, { wires }: Slow): void {
    this.#slow.delete(to);
    for (const wire of wires) wire.from.release(wire);
  }
}
