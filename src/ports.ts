/**
 * Where the gateway listens: its port, and one for the internal endpoints alone where it has one.
 *
 * @module
 */
import type { Config } from "./config.ts";
import { Listener } from "./tls/listener.ts";
import type { Side } from "./routes.ts";
import type { ServerCertificate } from "./tls/server_certificate.ts";
import { TlsListener } from "./tls/tls_listener.ts";

/** The gateway cannot listen where it was told to; the message says why. */
export class ListenError extends Error {
  override name = "ListenError";
}

/** What answers the requests that come in on one side. */
type Handlers = (side: Side) => Deno.ServeHandler<Deno.NetAddr>;

/** Both ports of a gateway, or its only one. */
export class Ports {
  readonly #public: Listener | TlsListener;
  readonly #internal: Listener | TlsListener | undefined;

  private constructor(
    publicListener: Listener | TlsListener,
    internal: Listener | TlsListener | undefined,
  ) {
    this.#public = publicListener;
    this.#internal = internal;
  }

  /**
   * Listens.
   *
   * @throws {ListenError} when an address is taken or not this machine's; then nothing listens
   */
  static async open(
    config: Config,
    certificate: ServerCertificate | undefined,
    handlers: Handlers,
  ): Promise<Ports> {
    const { host, port, sharePort, internal } = config;
    const listen = (hostname: string, port: number, side: Side) => {
      const options = { hostname, port, reusePort: sharePort };
      return certificate === undefined
        ? new Listener(options, handlers(side))
        : new TlsListener(options, certificate, handlers(side));
    };
    if (internal === undefined) {
      return new Ports(named(host, port, "CXG_PORT", () => listen(host, port, "all")), undefined);
    }
    // It comes first: who finds the public one open finds this one too.
    const inner = named(
      internal.host,
      internal.port,
      "CXG_INTERNAL_PORT",
      () => listen(internal.host, internal.port, "internal"),
    );
    try {
      return new Ports(named(host, port, "CXG_PORT", () => listen(host, port, "public")), inner);
    } catch (error) {
      await inner.shutdown();
      throw error;
    }
  }

  /** The address of the public port. */
  get addr(): Deno.NetAddr {
    return this.#public.addr;
  }

  /** That of the internal endpoints, where they have one of their own. */
  get internalAddr(): Deno.NetAddr | undefined {
    return this.#internal?.addr;
  }

  /** Accepts nothing new; resolves when no request is in hand. */
  async shutdown(): Promise<void> {
    await Promise.all([this.#public.shutdown(), this.#internal?.shutdown()]);
  }
}

/** @param variable where the port is configured */
function named<T>(host: string, port: number, variable: string, listen: () => T): T {
  try {
    return listen();
  } catch (error) {
    const where = `${host}:${port}`;
    if (error instanceof Deno.errors.AddrInUse) {
      throw new ListenError(
        `${where} is taken: another program listens there, or a gateway that does not share its ` +
          `port (see ${variable} and CXG_SHARE_PORT)`,
      );
    }
    throw new ListenError(
      `cannot listen on ${where}: ${error instanceof Error ? error.message : error}`,
    );
  }
}
