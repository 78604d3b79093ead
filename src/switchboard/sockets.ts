import type { Ending } from "./endings.ts";

/**
 * Closes a websocket with a reason, in whichever state it is: one that is still opening is closed
 * as soon as it is open, one that is closing or closed is left alone.
 */
export function closeSocket(socket: WebSocket, { code, reason }: Ending): void {
  if (socket.readyState === WebSocket.OPEN) {
    socket.close(code, reason);
  } else if (socket.readyState === WebSocket.CONNECTING) {
    socket.addEventListener("open", () => socket.close(code, reason), { once: true });
  }
}

/** The websockets that are open, so that a stopping gateway can say good-bye to each. */
export class OpenSockets {
  readonly #sockets = new Set<WebSocket>();
  readonly #emptied = Promise.withResolvers<void>();
  #ending: Ending | undefined;

  /** How many are open. */
  get size(): number {
    return this.#sockets.size;
  }

  /** Bytes that wait to be sent on them. */
  get bufferedBytes(): number {
    let bytes = 0;
    for (const { bufferedAmount } of this.#sockets) bytes += bufferedAmount;
    return bytes;
  }

  /** Keeps track of a websocket, just upgraded, until it closes. */
  add(socket: WebSocket): void {
    socket.addEventListener("open", () => {
      this.#sockets.add(socket);
      if (this.#ending !== undefined) closeSocket(socket, this.#ending);
    }, { once: true });
    socket.addEventListener("close", () => {
      this.#sockets.delete(socket);
      this.#settle();
    }, { once: true });
  }

  /** Closes every one of them, and those that still come; resolves when none is left. */
  async closeAll(ending: Ending): Promise<void> {
    this.#ending = ending;
    for (const socket of this.#sockets) closeSocket(socket, ending);
    this.#settle();
    await this.#emptied.promise;
  }

  #settle(): void {
    if (this.#ending !== undefined && this.#sockets.size === 0) this.#emptied.resolve();
  }
}
