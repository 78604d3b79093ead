/**
 * The books that are kept of each bridge and each connection of an executor: what was sent, what was
 * received, and how each ended. They are closed and judged when all is quiet (see `accounts.ts`).
 *
 * @module
 */
import type { Closed } from "./socket.ts";
import { Signal } from "./signal.ts";
import type { Connection } from "./connection.ts";
import type { Executor } from "./executor.ts";

/** How many frames, and how many bytes; a text frame's size is its length in UTF-16 units. */
export class Count {
  frames = 0;
  bytes = 0;

  add(size: number): void {
    this.frames++;
    this.bytes += size;
  }

  addAll({ frames, bytes }: Count): void {
    this.frames += frames;
    this.bytes += bytes;
  }
}

/**
 * How a websocket ended, seen from its peer: by the peer's own close frame, which the gateway
 * answered; by the gateway's; or cut by the peer, without one.
 */
export type End = "own" | "gateway" | "cut";

/** What a peer says when it closes a websocket itself. */
export const OWN_REASON = "soak: done";

/** The frames that a peer sent only to have them dropped, by the reason that they are counted under. */
export class BadFrames {
  readonly counts = new Map<string, number>();

  add(reason: string): void {
    this.counts.set(reason, (this.counts.get(reason) ?? 0) + 1);
  }
}

/** A stream of a bridge to a relay or Noise executor. */
export interface StreamBook {
  readonly id: string;
  readonly index: number;
  readonly book: BridgeBook;
  /** The numbers of the next message: sent by the harness, come to the executor, come back. */
  next: number;
  atExecutor: number;
  atHarness: number;
  /** Whether the executor has seen its Resume. */
  claimed: boolean;
  /** Who reset it, as far as the executor knows. */
  resetBy: "harness" | "executor" | "gateway" | undefined;
  /** Whether its harness has the executor's answer to its Handshake. */
  answered: boolean;
}

/** A bridge, from the moment its harness decides to open it. */
export class BridgeBook {
  readonly id: number;
  readonly exe: Executor;
  readonly turnId: string;
  readonly openedAt = performance.now();
  readonly changed = new Signal();
  readonly streams: StreamBook[] = [];
  /** By its harness, and what of it came to the executor. */
  readonly sent = new Count();
  readonly received = new Count();
  /** By the executor, and what of it came to the harness. */
  readonly back = new Count();
  readonly home = new Count();
  readonly bad = new BadFrames();
  /** The endings that its harness has brought about, as {@linkcode endingKey} writes them. */
  readonly expected = new Set<string>([endingKey({ code: 1000, reason: OWN_REASON })]);
  /** Where it turned out to be joined: known once a frame has come through. */
  connection: Connection | undefined;
  /** Whether its websocket was opened. */
  opened = false;
  end: End | undefined;
  endedWith: string | undefined;
  /** Whether everything was sent, echoed and received before it was closed. */
  drained = false;
  /** The connections of its executor that went while frames may have been on their way to it. */
  readonly left = new Map<Connection, Exclude<End, "gateway">>();
  /** What it told the executor to show to `validate`. */
  authorization: string | undefined;
  /** When its turn was revoked. */
  revokedAt: number | undefined;

  constructor(id: number, exe: Executor, turnId: string) {
    this.id = id;
    this.exe = exe;
    this.turnId = turnId;
  }

  /** How its executor left it, if it did; any connection may be its own until one is known to be. */
  get executorLeft(): "own" | "cut" | undefined {
    if (this.connection !== undefined) return this.left.get(this.connection);
    return [...this.left.values()].at(-1);
  }
}

/** How an ending is written in the books. */
export function endingKey({ code, reason }: Closed): string {
  return `${code} ${reason}`;
}

/** The books of one cycle. */
export class Ledger {
  readonly bridges = new Map<number, BridgeBook>();
  readonly streams = new Map<string, StreamBook>();
  readonly connections: Connection[] = [];
  /** Requests that were refused, by status and route. */
  readonly refusals = new Map<string, number>();
  /** Bridges that were opened, by harnesses and by strangers. */
  joined = 0;
  /** Harnesses that went before their handshake was answered. */
  abandoned = 0;
  #lastId: number;

  /** @param lastId the last bridge's number of the cycle before */
  constructor(lastId = 0) {
    this.#lastId = lastId;
  }

  get lastId(): number {
    return this.#lastId;
  }

  openBridge(exe: Executor, turnId: string): BridgeBook {
    const book = new BridgeBook(++this.#lastId, exe, turnId);
    this.bridges.set(book.id, book);
    return book;
  }

  openStream(book: BridgeBook): StreamBook {
    const index = book.streams.length;
    const stream: StreamBook = {
      id: `soak-${book.id}-${index}`,
      index,
      book,
      next: 0,
      atExecutor: 0,
      atHarness: 0,
      claimed: false,
      resetBy: undefined,
      answered: false,
    };
    book.streams.push(stream);
    this.streams.set(stream.id, stream);
    return stream;
  }

  noteRefusal(route: string, status: number): void {
    const key = `${status} ${route}`;
    this.refusals.set(key, (this.refusals.get(key) ?? 0) + 1);
  }
}
