import type { Buffer } from "node:buffer";
import type { Duplex } from "node:stream";
// @ts-types="@types/ws"
import { WebSocket as Client } from "ws";

/** How a websocket ended. */
export interface Closed {
  readonly code: number;
  readonly reason: string;
}

/** What a websocket was refused with. */
export interface Refusal {
  readonly status: number;
  readonly body: string;
}

/** What becomes of a websocket. */
export interface Handlers {
  /** It is open: nothing has come yet. */
  onOpen(socket: Socket): void;
  onMessage(data: string | Uint8Array<ArrayBuffer>): void;
  onClose(closed: Closed): void;
}

/** How long a websocket may take to open: longer than the gateway waits for an executor. */
const OPEN_TIMEOUT_MS = 20_000;

/**
 * A peer's websocket. It is that of `npm:ws`, because the runtime's own can neither vanish without a
 * close frame nor stop reading.
 */
export class Socket {
  readonly #client: Client;
  /** How it ended, when it has. */
  closed: Closed | undefined;
  #stops = 0;

  private constructor(client: Client) {
    this.#client = client;
  }

  /**
   * Opens one.
   *
   * @param from the address that it comes from, as its proxy says
   * @throws when there was no answer at all
   */
  static open(url: string, handlers: Handlers, from?: string): Promise<Socket | Refusal> {
    const client = new Client(url, {
      headers: from === undefined ? {} : { "x-forwarded-for": from },
      perMessageDeflate: false,
      handshakeTimeout: OPEN_TIMEOUT_MS,
      maxPayload: 0,
    });
    const socket = new Socket(client);
    return new Promise((resolve, reject) => {
      client.on("open", () => {
        handlers.onOpen(socket);
        resolve(socket);
      });
      client.on("unexpected-response", async (_request, response) => {
        let body = "";
        for await (const chunk of response.setEncoding("utf8")) body += chunk;
        resolve({ status: response.statusCode ?? 0, body });
        // It would be kept alive otherwise.
        client.terminate();
      });
      // Of one that is open, the close event tells.
      client.on("error", reject);
      client.on("message", (data: Buffer<ArrayBuffer>, isBinary) => {
        handlers.onMessage(isBinary ? data : data.toString());
      });
      client.on("close", (code, reason) => {
        socket.closed = { code, reason: reason.toString() };
        handlers.onClose(socket.closed);
      });
    });
  }

  get isOpen(): boolean {
    return this.#client.readyState === Client.OPEN;
  }

  /** Bytes that wait to be sent. */
  get buffered(): number {
    return this.#client.bufferedAmount;
  }

  /** Sends a message, unless it is closing or closed; returns whether it did. */
  send(data: string | Uint8Array): boolean {
    if (!this.isOpen) return false;
    this.#client.send(data);
    return true;
  }

  /** Begins the closing handshake. */
  close(reason: string): void {
    this.#client.close(1000, reason);
  }

  /** Destroys the connection, without a close frame. */
  vanish(): void {
    this.#client.terminate();
  }

  /** Sends bytes that are no websocket frame. */
  corrupt(bytes: Uint8Array): void {
    (this.#client as unknown as { _socket?: Duplex })._socket?.write(bytes);
  }

  /** Stops reading, until {@linkcode Socket.goOnReading} was called as often. */
  stopReading(): void {
    if (this.#stops++ === 0) this.#client.pause();
  }

  goOnReading(): void {
    if (--this.#stops === 0) this.#client.resume();
  }
}
