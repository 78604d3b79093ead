import { BufferBudget, defaultBudget } from "./buffer_budget.ts";
import type { Ending } from "./close_codes.ts";
import { LeftBehind } from "./unread.ts";
import { LOOKS_AN_INTERVAL, PeerSocket } from "./peer_socket.ts";

/**
 * In how many slices the websockets are looked at, one after the other: so many pings and no more go out at
 * once, and so few times a second anything has to wake up for them.
 */
const SLICES = 4;

/** The websockets that are open: dead ones are found among them, and a stopping gateway closes them all. */
export class OpenSockets {
  readonly #peers = new Set<PeerSocket>();
  /** Of which slice the next one is, and which is looked at next. */
  #nextSlice = 0;
  #lookedAt = 0;
  readonly #leftBehind: LeftBehind;
  readonly #budget: BufferBudget;
  readonly #emptied = Promise.withResolvers<void>();
  #ending: Ending | undefined;

  /**
   * @param maxBufferedBytes the most that may wait to be sent on one of them
   * @param maxTotalBytes the most that may wait on all of them
   */
  constructor(maxBufferedBytes: number, maxTotalBytes: number = defaultBudget()) {
    this.#leftBehind = new LeftBehind(maxBufferedBytes);
    this.#budget = new BufferBudget(maxTotalBytes, this.#peers, this.#leftBehind);
  }

  /** How many are open. */
  get size(): number {
    return this.#peers.size;
  }

  /** Bytes that wait to be sent, on those that are open and on those that were left behind. */
  get bufferedBytes(): number {
    let bytes = this.#leftBehind.bytes;
    for (const { bufferedAmount } of this.#peers) bytes += bufferedAmount;
    return bytes;
  }

  /** How many may wait, on all of them together. */
  get maxBufferedBytes(): number {
    return this.#budget.max;
  }

  /** How many were closed or given up while something waited to be sent, and may hold it yet. */
  get leftBehind(): number {
    return this.#leftBehind.count;
  }

  /** Whether an owner has left so much behind that it may open no more. */
  isRefused(owner: string): boolean {
    return this.#leftBehind.isTooMuch(owner);
  }

  /**
   * Keeps track of a websocket, just upgraded, until it closes or is given up.
   *
   * @param owner whose it is
   */
  add(socket: WebSocket, owner: string): PeerSocket {
    const slice = this.#nextSlice = (this.#nextSlice + 1) % SLICES;
    const peer = new PeerSocket(socket, owner, this.#leftBehind, this.#budget, slice);
    peer.whenOpen(() => {
      this.#peers.add(peer);
      if (this.#ending !== undefined) peer.close(this.#ending);
    });
    socket.addEventListener("close", () => this.#remove(peer), { once: true });
    return peer;
  }

  /**
   * Pings those that are quiet, until `stop` is aborted, and gives up those that are dead.
   */
  startSweep(pingIntervalS: number, stop: AbortSignal): void {
    const everyMs = pingIntervalS * 1000 / (LOOKS_AN_INTERVAL * SLICES);
    const timer = setInterval(() => this.#sweep(), everyMs);
    Deno.unrefTimer(timer);
    stop.addEventListener("abort", () => clearInterval(timer), { once: true });
  }

  /** Closes every one of them, and those that still come; resolves when none is left. */
  async closeAll(ending: Ending): Promise<void> {
    this.#ending = ending;
    for (const peer of this.#peers) peer.close(ending);
    this.#settle();
    await this.#emptied.promise;
  }

  #sweep(): void {
    const slice = this.#lookedAt = (this.#lookedAt + 1) % SLICES;
    for (const peer of this.#peers) {
      if (peer.slice !== slice || !peer.look()) continue;
      peer.giveUp();
      this.#remove(peer);
    }
  }

  #remove(peer: PeerSocket): void {
    this.#peers.delete(peer);
    this.#settle();
  }

  #settle(): void {
    if (this.#ending !== undefined && this.#peers.size === 0) this.#emptied.resolve();
  }
}
