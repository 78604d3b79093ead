import type { ListenOptions } from "../listener.ts";
import { log } from "../logging.ts";
import { within } from "../within.ts";
import { InnerListener } from "./inner_listener.ts";
import type { ServerCertificate } from "./server_certificate.ts";
import { TlsConnection } from "./tls_connection.ts";

/** How long after it failed accepting is tried again, in milliseconds. */
const ACCEPT_PAUSE_MS = 50;

/** How long after a failure the next one is logged again, in milliseconds. */
const SETTLED_MS = 10_000;

/** How long those who have just connected have to bring their request when it stops, in milliseconds. */
const BEGIN_TIMEOUT_MS = 1_000;

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
  readonly #connections = new Set<TlsConnection>();
  /** Called when a connection has ended. */
  #onEnd: () => void = () => {};
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
  ) {
    this.#certificate = certificate;
    this.#listener = Deno.listen(options);
    this.addr = this.#listener.addr;
    this.#inner = new InnerListener(handler);
    this.#accept();
  }

  /** Accepts nothing new; resolves when no request is in hand and every answer is on its way. */
  async shutdown(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#listener.close();
    // A handshake takes a round trip or two, and after it has answered a gateway that stops ends a connection.
    const begun = [...this.#connections].filter(({ isUnused }) => isUnused);
    await this.#untilEnded(
      BEGIN_TIMEOUT_MS,
      () => !begun.some((one) => this.#connections.has(one)),
    );
    for (const connection of this.#connections) if (connection.isUnused) connection.end();
    await this.#inner.shutdown();
    await this.#untilEnded(DELIVER_TIMEOUT_MS, () => this.#connections.size === 0);
    for (const connection of this.#connections) connection.end();
  }

  /** Waits until enough connections have ended, but no longer than `ms`. */
  async #untilEnded(ms: number, isEnough: () => boolean): Promise<void> {
    const ended = Promise.withResolvers<void>();
    this.#onEnd = () => {
      if (isEnough()) ended.resolve();
    };
    this.#onEnd();
    await within(ms, ended.promise);
    this.#onEnd = () => {};
  }

  async #accept(): Promise<void> {
    while (!this.#isOver) {
      try {
        this.#serve(await this.#listener.accept());
      } catch (error) {
        if (this.#isOver) return;
        this.#failed(error);
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
      }
    }
  }

  #serve(conn: Deno.TcpConn): void {
    conn.setNoDelay(true);
    const remote = conn.remoteAddr.hostname;
    const connection = new TlsConnection(conn, {
      context: this.#certificate.context,
      inner: this.#inner,
      onEnd: (error) => {
        // Strangers do as they please: it is no event.
        if (error !== undefined) {
          log.debug("a TLS connection failed", { remote, error: `${error}` });
        }
        this.#connections.delete(connection);
        this.#onEnd();
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
