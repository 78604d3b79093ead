/**
 * How long after its websocket's end a peer that said no good-bye still counts, in milliseconds: about as
 * long as the kernel tries to reach one that has gone (tcp(7), `tcp_retries2`).
 */
const GRACE_MS = 15 * 60_000;

/** How many connections an owner may leave behind whatever they hold, and how many in any case. */
const FEW = 4;
const MANY = 64;

/** How many times the limit of one websocket an owner's may hold together. */
const TIMES_ONE = 4;

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
  readonly #maxBytes: number;
  readonly #owners = new Map<string, { count: number; bytes: number }>();
  /** Of whom it is not known that they went, oldest first. */
  readonly #doubtful: { remainder: Remainder; until: number }[] = [];
  #bytes = 0;
  #count = 0;

  /** @param maxBuffered the most that may wait on one websocket, in bytes */
  constructor(maxBuffered: number) {
    this.#maxBytes = TIMES_ONE * maxBuffered;
  }

  /** How many bytes there are in all, but for those of connections that the runtime has let go of. */
  get bytes(): number {
    return this.#bytes;
  }

  /** On how many connections, those included of which it is not known that their peers went. */
  get count(): number {
    return this.#count;
  }

  /** Counts what one connection of the owner was left with, until it is settled. */
  add(owner: string, bytes: number): Remainder {
    this.#bytes += bytes;
    this.#change(owner, 1, bytes);
    return { owner, bytes };
  }

  /**
   * The runtime has let go of the connection.
   *
   * @param taken whether the peer answered the close frame, and so has read all that came before it. One
   * that did not may have fooled the runtime (it only stopped sending, say), and counts for a while yet.
   */
  settle(remainder: Remainder, taken: boolean): void {
    this.#bytes -= remainder.bytes;
    if (taken) this.#forget(remainder);
    else this.#doubtful.push({ remainder, until: performance.now() + GRACE_MS });
  }

  /** Whether the owner has left so much behind that it may open no more connections. */
  isTooMuch(owner: string): boolean {
    const left = this.#owners.get(owner);
    if (left === undefined) return false;
    return left.count >= MANY || left.count >= FEW && left.bytes > this.#maxBytes;
  }

  /** Forgets those whose time is over; to be called now and then. */
  prune(now: number = performance.now()): void {
    while (this.#doubtful.length > 0 && this.#doubtful[0]!.until <= now) {
      this.#forget(this.#doubtful.shift()!.remainder);
    }
  }

  #forget({ owner, bytes }: Remainder): void {
    this.#change(owner, -1, -bytes);
  }

  #change(owner: string, count: number, bytes: number): void {
    const left = this.#owners.get(owner) ?? { count: 0, bytes: 0 };
    left.count += count;
    left.bytes += bytes;
    if (left.count === 0) this.#owners.delete(owner);
    else this.#owners.set(owner, left);
    this.#count += count;
  }
}
