/**
 * How long after its websocket's end a peer that said no good-bye still counts, in milliseconds: about as
 * long as the kernel tries to reach one that has gone (tcp(7), `tcp_retries2`).
 */
const GRACE_MS = 15 * 60_000;

/** How many times the limit of one websocket an owner may leave behind. */
const TIMES_ONE = 4;

/** The least that a connection counts, as a part of that limit: an idle one costs something too. */
const LEAST_PART = 1 / 16;

/** What one connection was left with. */
export interface Remainder {
  readonly owner: string;
  readonly bytes: number;
}

/**
 * What waits on websockets that the gateway has closed or given up. The runtime cannot drop it: the close
 * frame waits behind it, and the TCP connection and the bytes stay until the peer reads or goes. One peer
 * that does it again and again would pile them up, so an owner that has left too much is let in no more.
 */
export class LeftBehind {
  readonly #maxBuffered: number;
  /** How much each owner has left, as it counts. */
  readonly #owners = new Map<string, number>();
  /** Of whom it is not known that they went, oldest first. */
  readonly #doubtful: { remainder: Remainder; until: number }[] = [];
  readonly #now: () => number;
  #bytes = 0;
  #count = 0;

  /**
   * @param maxBuffered the most that may wait on one websocket, in bytes
   * @param now a clock in milliseconds that never goes back
   */
  constructor(maxBuffered: number, now: () => number = () => performance.now()) {
    this.#maxBuffered = maxBuffered;
    this.#now = now;
  }

  /** How many bytes there are in all, but for those of connections that the runtime has let go of. */
  get bytes(): number {
    return this.#bytes;
  }

  /** On how many connections, those included of which it is not known that their peers went. */
  get count(): number {
    this.#prune();
    return this.#count;
  }

  /** Counts what one connection of the owner was left with, until it is settled. */
  add(owner: string, bytes: number): Remainder {
    const remainder = { owner, bytes };
    this.#bytes += bytes;
    this.#change(remainder, 1);
    return remainder;
  }

  /**
   * The runtime has let go of the connection.
   *
   * @param taken whether the peer answered the close frame, and so has read all that came before it. One
   * that did not may have fooled the runtime (it only stopped sending, say), and counts for a while yet.
   */
  settle(remainder: Remainder, taken: boolean): void {
    this.#bytes -= remainder.bytes;
    if (taken) this.#change(remainder, -1);
    else this.#doubtful.push({ remainder, until: this.#now() + GRACE_MS });
  }

  /**
   * Whether the owner may open no more connections: it has left behind four times what may wait on one. Each
   * counts a sixteenth of that at the least, and all of it at the most, since one frame may be far larger.
   */
  isTooMuch(owner: string): boolean {
    this.#prune();
    return (this.#owners.get(owner) ?? 0) >= TIMES_ONE * this.#maxBuffered;
  }

  #prune(): void {
    while (this.#doubtful.length > 0 && this.#doubtful[0]!.until <= this.#now()) {
      this.#change(this.#doubtful.shift()!.remainder, -1);
    }
  }

  /** Counts a connection, or takes it back. */
  #change({ owner, bytes }: Remainder, by: 1 | -1): void {
    this.#count += by;
    const max = this.#maxBuffered;
    const counted = Math.min(Math.max(bytes, max * LEAST_PART), max);
    const left = (this.#owners.get(owner) ?? 0) + by * counted;
    if (left > 0) this.#owners.set(owner, left);
    else this.#owners.delete(owner);
  }
}
