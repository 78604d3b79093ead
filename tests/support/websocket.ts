/**
 * The peers of a gateway under test: real websockets, and raw handshakes that show the refusal.
 *
 * @module
 */
import { requestTo, trustedFor } from "./trust.ts";

/** How a websocket ended. */
export interface Closed {
  code: number;
  reason: string;
}

/** A message as it came: text stays text, binary comes as bytes. */
export type Message = string | Uint8Array<ArrayBuffer>;

/** A websocket whose messages are read one by one. */
export class Peer implements AsyncDisposable {
  /** Resolves when the websocket has closed. */
  readonly closed: Promise<Closed>;
  readonly #socket: WebSocket;
  readonly #received: Message[] = [];
  #wake = Promise.withResolvers<void>();

  /** @param socket open */
  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      this.#received.push(typeof data === "string" ? data : new Uint8Array(data));
      this.#notify();
    };
    this.closed = new Promise((resolve) => {
      socket.onclose = ({ code, reason }) => {
        resolve({ code, reason });
        this.#notify();
      };
    });
  }

  /** How many messages have come and were not read. */
  get pending(): number {
    return this.#received.length;
  }

  send(message: Message): void {
    this.#socket.send(message);
  }

  /** Bytes that wait to be sent. */
  get buffered(): number {
    return this.#socket.bufferedAmount;
  }

  /** The next message; fails when the websocket closes, or after `timeoutMs`, without one. */
  async next(timeoutMs = 10_000): Promise<Message> {
    const deadline = performance.now() + timeoutMs;
    while (this.#received.length === 0) {
      if (this.#socket.readyState === WebSocket.CLOSED) throw new Error("closed without a message");
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`no message within ${timeoutMs} ms`);
      await settled(this.#wake.promise, left);
    }
    return this.#received.shift()!;
  }

  close(code?: number, reason?: string): void {
    this.#socket.close(code, reason);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.readyState < WebSocket.CLOSING) this.#socket.close();
    await settled(this.closed, 2_000);
  }

  #notify(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}

/** Opens a websocket; fails when it is refused. */
export function connect(url: string, headers: Record<string, string> = {}): Promise<Peer> {
  const socket = new WebSocket(url, { headers, client: trustedFor(url).client });
  socket.binaryType = "arraybuffer";
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve(new Peer(socket));
    socket.onerror = (event) => reject(new Error((event as ErrorEvent).message));
  });
}

/** What a websocket handshake was answered with. */
export interface HandshakeAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

const HANDSHAKE_HEADERS = {
  connection: "Upgrade",
  upgrade: "websocket",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  "sec-websocket-version": "13",
};

/** Asks for a websocket and returns the answer; one that is opened is closed again. */
export function handshake(
  url: string,
  headers: Record<string, string> = {},
): Promise<HandshakeAnswer> {
  return new Promise((resolve, reject) => {
    const asked = requestTo(url.replace(/^ws/, "http"), {
      headers: { ...HANDSHAKE_HEADERS, ...headers },
    });
    asked.on("upgrade", ({ statusCode, headers }, socket) => {
      socket.destroy();
      resolve({ status: statusCode!, headers, body: "" });
    });
    asked.on("response", async (response) => {
      let body = "";
      for await (const chunk of response.setEncoding("utf8")) body += chunk;
      resolve({ status: response.statusCode!, headers: response.headers, body });
    });
    asked.on("error", reject);
    asked.end();
  });
}

/** Waits for a promise, but no longer than `ms`; returns whether it was settled. */
export async function settled(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), ms);
  try {
    return await Promise.race([promise.then(() => true, () => true), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Waits until a condition holds.
 *
 * @throws when it does not within `timeoutMs`
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!await condition()) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
