import { type SecureContext, TLSSocket } from "node:tls";
import { sleep } from "../time/within.ts";
import type { InnerConnection, InnerListener } from "./inner_listener.ts";
import { ReadBuffers } from "./read_buffers.ts";
import { endWriting, TcpStream, writeAll } from "./tcp_stream.ts";

/** How long a client may keep its half of a connection open that the gateway has ended, in milliseconds. */
const LINGER_MS = 5_000;

/** How long a client that has spoken waits for the inner listener while it is away, in milliseconds. */
const INNER_TIMEOUT_MS = 10_000;

/** How long until the inner listener is tried again, in milliseconds. */
const INNER_RETRY_MS = 50;

/** What a TLS connection is told of. */
export interface TlsConnectionOptions {
  readonly context: SecureContext;
  readonly inner: InnerListener;
  /** How long the client may take for its handshake and to begin its first request, in milliseconds. */
  readonly beginTimeoutMs: number;
  /** Called once, with what ended it if it is an error. */
  readonly onEnd: (error?: Error) => void;
}

/**
 * A client's TLS connection, and the one to the inner listener that stands for it, opened when the client
 * first says something. What one side does not take is not read from the other, and an end is passed on
 * as it came: half of a connection, or all of it.
 */
export class TlsConnection {
  readonly #stream: TcpStream;
  readonly #tls: TLSSocket;
  readonly #client: Deno.NetAddr;
  readonly #options: TlsConnectionOptions;
  /** What the client has sent, on its way; in order. */
  #upward: Promise<void> | undefined;
  #inner: InnerConnection | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  /** @param conn just accepted; it is closed when the connection ends */
  constructor(conn: Deno.TcpConn, options: TlsConnectionOptions) {
    this.#options = options;
    this.#client = conn.remoteAddr;
    this.#stream = new TcpStream(conn);
    this.#endAfter(options.beginTimeoutMs);
    const { context } = options;
    // The types know sockets only; any stream will do (nodejs.org/api/tls.html, "new tls.TLSSocket").
    const socket = this.#stream as unknown as ConstructorParameters<typeof TLSSocket>[0];
    this.#tls = new TLSSocket(socket, { isServer: true, secureContext: context });
    this.#tls.on("data", (bytes: Uint8Array) => {
      this.#passUp(() => writeAll(this.#inner!.conn, bytes));
    });
    this.#tls.on("end", () => this.#clientEnded());
    this.#tls.on("error", (error) => this.end(error));
    this.#tls.on("close", () => this.end());
    this.#stream.on("error", (error) => this.end(error));
    this.#stream.on("close", () => this.end());
  }

  /** Whether a request of the client has reached the HTTP server. */
  get isHeard(): boolean {
    return this.#inner?.isHeard === true;
  }

  /** Ends it at once, whatever is under way. */
  end(error?: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#inner?.close();
    this.#tls.destroy();
    this.#stream.destroy();
    this.#options.onEnd(error);
  }

  /** Does something with the inner connection after all that came before it. */
  #passUp(work: () => Promise<void>): void {
    this.#upward = this.#upwardSoFar().then(async () => {
      if (this.#isOver) return;
      try {
        await work();
      } catch (error) {
        this.end(error as Error);
      }
    });
    this.#stream.hold(this.#upward);
  }

  #upwardSoFar(): Promise<void> {
    if (this.#upward !== undefined) return this.#upward;
    clearTimeout(this.#timer);
    return this.#enter();
  }

  /** Opens the inner connection, and begins to pass on what comes from there. */
  async #enter(): Promise<void> {
    const deadline = performance.now() + INNER_TIMEOUT_MS;
    while (!this.#isOver && this.#inner === undefined) {
      try {
        this.#inner = await this.#options.inner.connect(this.#client);
      } catch (error) {
        // No file descriptor is left, or the listener is just being opened again: the kernel's queue
        // would let a client wait as well.
        if (performance.now() > deadline) return this.end(error as Error);
        await sleep(INNER_RETRY_MS);
      }
    }
    if (this.#isOver) return this.#inner?.close();
    this.#inner!.conn.setNoDelay(true);
    this.#passDown(this.#inner!.conn).catch((error) => this.end(error));
  }

  async #passDown(conn: Deno.TcpConn): Promise<void> {
    const buffers = new ReadBuffers();
    let next = startReading(conn, buffers);
    for (;;) {
      const { buffer, reading } = next;
      const bytes = await reading;
      if (bytes === null || this.#isOver) break;
      buffers.note(buffer, bytes);
      // While these are on their way the kernel fills another buffer.
      next = startReading(conn, buffers);
      await this.#write(buffer.subarray(0, bytes));
      buffers.giveBack(buffer);
    }
    if (this.#isOver) return;
    this.#tls.end();
    // The HTTP server closes whole connections: it reads nothing more from this client.
    this.#endAfter(LINGER_MS);
  }

  /** Encrypts and sends; resolves when all of it is the kernel's. */
  #write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#tls.write(bytes, (error) => error ? reject(error) : resolve());
    });
  }

  #clientEnded(): void {
    if (this.#upward === undefined) return this.end();
    this.#passUp(() => endWriting(this.#inner!.conn));
  }

  #endAfter(ms: number): void {
    this.#timer = setTimeout(() => this.end(), ms);
  }
}

function startReading(
  conn: Deno.Conn,
  buffers: ReadBuffers,
): { buffer: Uint8Array; reading: Promise<number | null> } {
  const buffer = buffers.take();
  const reading = conn.read(buffer);
  // Nobody comes for it when the connection ends meanwhile.
  reading.catch(() => {});
  return { buffer, reading };
}
