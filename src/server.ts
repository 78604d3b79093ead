import { RegistrationTokens } from "./auth/registration_tokens.ts";
import { SingleUse } from "./auth/single_use.ts";
import { deriveTickets } from "./auth/tickets.ts";
import type { Config } from "./config.ts";
import { dispatch } from "./dispatch.ts";
import { LastSeen } from "./last_seen.ts";
import { log } from "./logging.ts";
import { Refusals } from "./refusals.ts";
import { Revocations } from "./revocations.ts";
import type { Services } from "./services.ts";
import { Store } from "./store/store.ts";
import { ConnRegistry } from "./switchboard/conn_registry.ts";
import { GATEWAY_STOPPING, REMOVED } from "./switchboard/endings.ts";
import type { ExecutorLink } from "./switchboard/executor_link.ts";
import { LiveTurns } from "./switchboard/live_turns.ts";
import { OpenSockets } from "./switchboard/sockets.ts";
import { Traffic } from "./switchboard/traffic.ts";
import { within } from "./within.ts";

/** How many revoked turns are held in memory; the package page says about 10,000. */
const MAX_REVOKED = 10_000;

/** How long peers have to answer the close frame of a stopping gateway, in milliseconds. */
const CLOSE_TIMEOUT_MS = 4_000;

/** How long requests in hand and the store have to finish, each, in milliseconds. */
const FINISH_TIMEOUT_MS = 2_000;

/** The gateway cannot listen where it was told to; the message says why. */
export class ListenError extends Error {
  override name = "ListenError";
}

/** A running gateway: it owns the store, the registry, the revoked set and the listener. */
export class Server {
  readonly #services: Services;
  readonly #http: Deno.HttpServer<Deno.NetAddr>;
  readonly #stop: AbortController;
  #stopped: Promise<void> | undefined;

  private constructor(
    services: Services,
    http: Deno.HttpServer<Deno.NetAddr>,
    stop: AbortController,
  ) {
    this.#services = services;
    this.#http = http;
    this.#stop = stop;
  }

  /**
   * Opens the store and starts to serve.
   *
   * @param limits what tests make smaller: how many bcrypt checks may wait, and how many revoked
   * turns memory holds
   * @throws {ListenError} when the address is taken or not this machine's
   * @throws what {@linkcode Store.open} throws when the database cannot be used
   */
  static async start(
    config: Config,
    limits: { maxWaitingChecks?: number; maxRevokedInMemory?: number } = {},
  ): Promise<Server> {
    const registrationTokens = new RegistrationTokens({ maxWaiting: limits.maxWaitingChecks });
    let store: Store | undefined;
    try {
      store = await Store.open(config);
      const registry = new ConnRegistry<ExecutorLink>();
      const stop = new AbortController();
      const services: Services = {
        config,
        store,
        registry,
        revocations: await Revocations.load(store, limits.maxRevokedInMemory ?? MAX_REVOKED),
        liveTurns: new LiveTurns(),
        registrationTokens,
        tickets: await deriveTickets(config.capTokenHmacSecret),
        usedTickets: new SingleUse(),
        lastSeen: lastSeenIn(store, registry),
        openSockets: new OpenSockets(),
        traffic: new Traffic(),
        refusals: new Refusals(),
        startedAt: Date.now(),
        stopping: stop.signal,
      };
      const http = listen(services);
      services.revocations.startPruner(stop.signal);
      services.lastSeen.startHeartbeat(() => registry.connectedIds(), stop.signal);
      return new Server(services, http, stop);
    } catch (error) {
      registrationTokens[Symbol.dispose]();
      await store?.close();
      throw error;
    }
  }

  /** Where it listens. */
  get addr(): Deno.NetAddr {
    return this.#http.addr;
  }

  /**
   * Stops: accepts nothing new, closes every websocket with 1012, finishes what the store has in hand.
   * Resolves when all is done, within ten seconds.
   */
  shutdown(): Promise<void> {
    return this.#stopped ??= this.#shutdown();
  }

  async #shutdown(): Promise<void> {
    const { openSockets, lastSeen, store, registrationTokens } = this.#services;
    // From here on new requests are refused. The listener goes last: its own shutdown would close the
    // websockets with a code that does not say "dial again".
    this.#stop.abort();
    await atMost(CLOSE_TIMEOUT_MS, openSockets.closeAll(GATEWAY_STOPPING), "peers did not close");
    await atMost(FINISH_TIMEOUT_MS, this.#http.shutdown(), "requests did not finish");
    registrationTokens[Symbol.dispose]();
    await atMost(
      FINISH_TIMEOUT_MS,
      lastSeen.drain().then(() => store.close()),
      "the store did not close",
    );
  }
}

function lastSeenIn(store: Store, registry: ConnRegistry<ExecutorLink>): LastSeen {
  return new LastSeen(
    (...exeIds) => store.updateLastSeen(...exeIds),
    // Removed while it dialled in, or by somebody else than this process.
    (exeId) => registry.lookup(exeId)?.close(REMOVED, REMOVED),
  );
}

function listen(services: Services): Deno.HttpServer<Deno.NetAddr> {
  const { host, port } = services.config;
  try {
    return Deno.serve(
      { hostname: host, port, onListen() {} },
      (req, info) => dispatch(services, req, info),
    );
  } catch (error) {
    const where = `${host}:${port}`;
    if (error instanceof Deno.errors.AddrInUse) {
      throw new ListenError(`${where} is taken: another program listens there (see CXG_PORT)`);
    }
    throw new ListenError(
      `cannot listen on ${where}: ${error instanceof Error ? error.message : error}`,
    );
  }
}

async function atMost(ms: number, work: Promise<unknown>, complaint: string): Promise<void> {
  if (!await within(ms, work)) {
    log.warn("stopping without waiting longer", { reason: complaint, ms });
  }
}
