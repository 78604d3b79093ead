import type { ListenOptions } from "./listener.ts";
import { log } from "../log/logging.ts";
import { sleep, within } from "../time/within.ts";
import { InnerListener } from "./inner_listener.ts";
import type { ServerCertificate } from "./server_certificate.ts";
import { closeQuietly } from "./tcp_stream.ts";
import { TlsConnection } from "./tls_connection.ts";

/** How long a client may take for its handshake and to begin its first request, in milliseconds. */
const BEGIN_TIMEOUT_MS = 10_000;

/** How long after it failed accepting is tried again, in milliseconds. */
const ACCEPT_PAUSE_MS = 50;

/** How long after a failure the next one is logged again, in milliseconds. */
const SETTLED_MS = 10_000;

/** How long those who have just connected have to bring their request when it stops, in milliseconds. */
const LAST_REQUEST_TIMEOUT_MS = 1_000;

/** How often it is looked whether they have, in milliseconds. */
const LOOK_MS = 5;

/** How long answers that were given have to reach their clients when it stops, in milliseconds. */
const DELIVER_TIMEOUT_MS = 1_000;

/**
 * The gateway's listener with TLS. The runtime's own ones do not set TCP_NODELAY, and have no way to
 * (Deno 2.9.6): a message of 16 KiB took 44 ms each way. So `node:tls` encrypts here, in front of an HTTP
 * server on loopback that is the gateway's alone.
 */
export class TlsListener {
  readonly addr: Deno.NetAddr;
  readonly #listener: Deno.TcpListener;
  readonly #inner: InnerListener;
  readonly #certificate: ServerCertificate;
  readonly #beginTimeoutMs: number;
  readonly #connections = new Set<TlsConnection>();
  #emptied: (() => void) | undefined;
  #loggedAt = -Infinity;
  #isOver = false;

  /**
   * Listens.
   *
   * @throws what `Deno.listen` throws when it cannot
   */
  constructor(
    options: ListenOptions,
    certificate: ServerCertificate,
    handler: Deno.ServeHandler<Deno.NetAddr>,
    beginTimeoutMs = BEGIN_TIMEOUT_MS,
  ) {
    this.#certificate = certificate;
    this.#beginTimeoutMs = beginTimeoutMs;
    this.#listener = Deno.listen(options);
    this.addr = this.#listener.addr;
    this.#inner = new InnerListener(handler);
    this.#accept();
  }

  /** How many connections are open. */
  get size(): number {
    return this.#connections.size;
  }

  /** Accepts nothing new; resolves when no request is in hand and every answer is on its way. */
  async shutdown(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#listener.close();
    await this.#hearThemAll();
    await this.#inner.shutdown();
    const emptied = new Promise<void>((resolve) => this.#emptied = resolve);
    if (this.#connections.size > 0) await within(DELIVER_TIMEOUT_MS, emptied);
    for (const connection of this.#connections) connection.end();
  }

  /** Lets those in their handshake, of a round trip or two, bring their request; closes who brings none. */
  async #hearThemAll(): Promise<void> {
    const deadline = performance.now() + LAST_REQUEST_TIMEOUT_MS;
    const silent = () => [...this.#connections].filter(({ isHeard }) => !isHeard);
    while (silent().length > 0 && performance.now() < deadline) await sleep(LOOK_MS);
    for (const connection of silent()) connection.end();
  }

  async #accept(): Promise<void> {
    while (!this.#isOver) {
      let conn: Deno.TcpConn;
      try {
        conn = await this.#listener.accept();
      } catch (error) {
        if (this.#isOver) return;
        this.#failed(error);
        await sleep(ACCEPT_PAUSE_MS);
        continue;
      }
      try {
        conn.setNoDelay(true);
        this.#serve(conn);
      } catch (error) {
        // It has gone already, say.
        log.debug("a connection could not be served", { error: `${error}` });
        closeQuietly(conn);
      }
    }
  }

  #serve(conn: Deno.TcpConn): void {
    const remote = conn.remoteAddr.hostname;
    const connection = new TlsConnection(conn, {
      context: this.#certificate.context,
      inner: this.#inner,
      beginTimeoutMs: this.#beginTimeoutMs,
      onEnd: (error) => {
        // Strangers do as they please: it is no event.
        if (error !== undefined) {
          log.debug("a TLS connection failed", { remote, error: `${error}` });
        }
        this.#connections.delete(connection);
        if (this.#connections.size === 0) this.#emptied?.();
      },
    });
    this.#connections.add(connection);
  }

  #failed(error: unknown): void {
    if (performance.now() - this.#loggedAt > SETTLED_MS) {
      log.error("no connection can be accepted, and it is tried again", { error: `${error}` });
    }
    this.#loggedAt = performance.now();
  }
}
