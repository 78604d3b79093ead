import { Listener } from "./listener.ts";
import { log } from "../log/logging.ts";

/** Nobody else's connection comes from there: another address of loopback may have the same port. */
const HERE = "127.0.0.1";

/** One connection to the inner listener. */
export interface InnerConnection {
  readonly conn: Deno.TcpConn;
  /** Whether a request has come by it. */
  readonly isHeard: boolean;
  /** Closes it. To be called in place of `conn.close()`. */
  close(): void;
}

/**
 * The plain HTTP server behind the TLS listener, on loopback. It knows each request's client by the port that
 * the TLS listener's connection comes from, and refuses any other connection: somebody on this machine
 * could name any address as a client's.
 */
export class InnerListener {
  readonly #http: Listener;
  /** By the local port of each connection whom it stands for, and whether a request has come by it. */
  readonly #clients = new Map<number, { readonly address: Deno.NetAddr; isHeard: boolean }>();

  constructor(handler: Deno.ServeHandler<Deno.NetAddr>) {
    const options = { hostname: HERE, port: 0, reusePort: false };
    this.#http = new Listener(options, (req, { remoteAddr, completed }) => {
      const client = remoteAddr.hostname === HERE ? this.#clients.get(remoteAddr.port) : undefined;
      if (client === undefined) return refusal(remoteAddr);
      client.isHeard = true;
      return handler(req, { remoteAddr: client.address, completed });
    });
  }

  /** Where it listens. */
  get port(): number {
    return this.#http.addr.port;
  }

  /**
   * Opens a connection that stands for a client.
   *
   * @throws what `Deno.connect` throws
   */
  async connect(address: Deno.NetAddr): Promise<InnerConnection> {
    const conn = await Deno.connect({ hostname: HERE, port: this.port });
    const { port } = conn.localAddr;
    const client = { address, isHeard: false };
    // Before a byte is written, so before there is a request.
    this.#clients.set(port, client);
    return {
      conn,
      get isHeard() {
        return client.isHeard;
      },
      close: () => {
        // Before it is closed: as long as it is open nobody else can come from its port.
        if (this.#clients.get(port) === client) this.#clients.delete(port);
        try {
          conn.close();
        } catch {
          // It was closed.
        }
      },
    };
  }

  /** Accepts nothing new; resolves when no request is in hand. */
  shutdown(): Promise<void> {
    return this.#http.shutdown();
  }
}

function refusal({ hostname, port }: Deno.NetAddr): Response {
  log.warn("refused a connection from this machine to the port behind the TLS listener", {
    remote: `${hostname}:${port}`,
  });
  return new Response("this port is the gateway's own\n", { status: 403 });
}
