import type { Ending } from "./endings.ts";
import { LeftBehind } from "./left_behind.ts";
import { PeerSocket } from "./peer_socket.ts";

/** How many looks in a row must find that nothing moves before a peer is dead. */
const STILL_LOOKS = 8;

/** The websockets that are open: dead ones are found among them, and a stopping gateway closes them all. */
export class OpenSockets {
  readonly #peers = new Set<PeerSocket>();
  readonly #leftBehind: LeftBehind;
  readonly #emptied = Promise.withResolvers<void>();
  #ending: Ending | undefined;

  /** @param maxBufferedBytes the most that may wait to be sent on one of them */
  constructor(maxBufferedBytes: number) {
    this.#leftBehind = new LeftBehind(maxBufferedBytes);
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
    const peer = new PeerSocket(socket, owner, this.#leftBehind);
    peer.whenOpen(() => {
      this.#peers.add(peer);
      if (this.#ending !== undefined) peer.close(this.#ending);
    });
    socket.addEventListener("close", () => this.#remove(peer), { once: true });
    return peer;
  }

  /**
   * Gives up, until `stop` is aborted, those that have taken nothing and sent nothing for two ping
   * intervals though something waits for them.
   */
  startSweep(pingIntervalS: number, stop: AbortSignal): void {
    const everyMs = 2 * pingIntervalS * 1000 / STILL_LOOKS;
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
    this.#leftBehind.prune();
    for (const peer of this.#peers) {
      if (peer.look() < STILL_LOOKS) continue;
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
