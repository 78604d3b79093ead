import { memoryLimit } from "../runtime/memory_limit.ts";

const MIB = 1024 * 1024;

/** Which part of the process's memory may wait to be sent, and how many bytes where that has no limit. */
const PART = 0.25;
const WITHOUT_LIMIT_BYTES = 512 * MIB;

/** So much may wait for anybody, in bytes, however many there are: without it nobody would go on. */
const LEAST_LEVEL_BYTES = 64 * 1024;

/** For how long a level holds, in milliseconds: to find it, every peer that something waits for is asked. */
const LEVEL_MS = 20;

/** A peer, by what waits for it. */
interface Measured {
  /** As it is now, in bytes; the runtime is asked. */
  readonly bufferedAmount: number;
  /** As it was when it was last asked for. */
  readonly lastBufferedAmount: number;
}

/** What may wait in the process where nothing is said: a quarter of its memory limit, or else 512 MiB. */
export function defaultBudget(limit: number | undefined = memoryLimit()): number {
  return limit === undefined ? WITHOUT_LIMIT_BYTES : Math.floor(limit * PART);
}

/**
 * What may wait to be sent in the whole process, on all websockets together. Each peer has a limit of its own,
 * and many peers have many: where it is too much together, those that most waits for are held first, down to
 * a level at which it is enough.
 */
export class BufferBudget {
  readonly max: number;
  readonly #peers: Iterable<Measured>;
  readonly #leftBehind: { readonly bytes: number };
  /** What waits for those that are open, by what each was last asked. */
  #waiting = 0;
  #level = Infinity;
  #foundAt = -Infinity;

  /**
   * @param max how much may wait, in bytes
   * @param peers those that are open
   * @param leftBehind what waits beside, on connections that are closed
   */
  constructor(max: number, peers: Iterable<Measured>, leftBehind: { readonly bytes: number }) {
    this.max = max;
    this.#peers = peers;
    this.#leftBehind = leftBehind;
  }

  /** More waits for a peer, by so many bytes, or less. */
  change(bytes: number): void {
    this.#waiting += bytes;
  }

  /**
   * Whether a peer has more than it may while too much waits in all.
   *
   * @param waiting what waits for it, in bytes
   * @param part of what it may have
   */
  isOver(waiting: number, part = 1): boolean {
    if (this.#waiting + this.#leftBehind.bytes <= this.max) return false;
    return waiting > part * LEAST_LEVEL_BYTES && waiting > part * this.#findLevel();
  }

  /** The most that may wait for a peer, so that it is no more than there is room for together. */
  #findLevel(): number {
    const now = performance.now();
    if (now - this.#foundAt < LEVEL_MS) return this.#level;
    this.#foundAt = now;
    const amounts: number[] = [];
    for (const peer of this.#peers) {
      if (peer.lastBufferedAmount > 0) amounts.push(peer.bufferedAmount);
    }
    // Those that have less than an even part leave the rest of theirs to the others.
    amounts.sort((a, b) => a - b);
    let room = this.max - this.#leftBehind.bytes;
    this.#level = Infinity;
    for (const [n, amount] of amounts.entries()) {
      const evenPart = room / (amounts.length - n);
      if (amount > evenPart) return this.#level = Math.max(evenPart, LEAST_LEVEL_BYTES);
      room -= amount;
    }
    return this.#level;
  }
}
