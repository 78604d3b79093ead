/** The port below every listener, plain or TLS: it outlives a failure to accept. */

import { log } from "../log/logging.ts";

/** How long after it failed a listener is opened again: at first at once, and at most, in milliseconds. */
const MAX_PAUSE_MS = 250;

/** How long after a failure the next one counts as a first, and is logged again, in milliseconds. */
const SETTLED_MS = 10_000;

/** Where to listen. */
export interface ListenOptions {
  readonly hostname: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Whether another process may listen there too. */
  readonly reusePort: boolean;
}

/**
 * An HTTP server that outlives its listener. The runtime's ends for good when it cannot accept a
 * connection, as when the process has no file descriptor left: whoever opens enough connections and
 * sends nothing would take the gateway down. The connections that are there go on; this opens the
 * listener again until it stays.
 */
export class Listener {
  readonly addr: Deno.NetAddr;
  readonly #options: ListenOptions;
  readonly #handler: Deno.ServeHandler<Deno.NetAddr>;
  readonly #servers = new Set<Deno.HttpServer<Deno.NetAddr>>();
  #pauseMs = 0;
  #loggedAt = -Infinity;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isOver = false;

  /**
   * Listens.
   *
   * @throws what `Deno.serve` throws when it cannot
   */
  constructor(options: ListenOptions, handler: Deno.ServeHandler<Deno.NetAddr>) {
    this.#handler = handler;
    this.addr = this.#open(options).addr;
    this.#options = { ...options, port: this.addr.port };
  }

  /** Accepts nothing new; resolves when no request is in hand. */
  async shutdown(): Promise<void> {
    this.#isOver = true;
    clearTimeout(this.#timer);
    await Promise.all([...this.#servers].map((server) => server.shutdown()));
  }

  #open(options: ListenOptions): Deno.HttpServer<Deno.NetAddr> {
    const server = Deno.serve({ ...options, onListen() {} }, this.#handler);
    this.#servers.add(server);
    server.finished.catch((error) => this.#failed(error));
    return server;
  }

  #failed(error: unknown): void {
    if (this.#isOver) return;
    if (performance.now() - this.#loggedAt > SETTLED_MS) {
      this.#loggedAt = performance.now();
      this.#pauseMs = 0;
      log.error("the listener failed, and is opened again", { error: `${error}` });
    }
    this.#timer = setTimeout(() => this.#reopen(), this.#pauseMs);
    this.#pauseMs = Math.min(2 * this.#pauseMs + 10, MAX_PAUSE_MS);
  }

  #reopen(): void {
    try {
      this.#open(this.#options);
    } catch (error) {
      this.#failed(error);
    }
  }
}
