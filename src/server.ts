import { CLOCK_LEEWAY_S } from "./auth/capability_token.ts";
import { DirectKeys } from "./auth/direct_keys.ts";
import { RegistrationTokens } from "./auth/registration_tokens.ts";
import { SingleUse } from "./auth/single_use.ts";
import { deriveTickets } from "./auth/tickets.ts";
import { WrongSecrets, WrongTokens } from "./limits/wrong_tokens.ts";
import { AwaitedDials } from "./presence/awaited_dials.ts";
import { TrustedProxies } from "./limits/client_address.ts";
import type { Config } from "./config.ts";
import { dispatch } from "./dispatch.ts";
import { ExecutorWatch } from "./turns/executor_watch.ts";
import { Holdings } from "./limits/quota.ts";
import { LastSeen, sightingOf } from "./presence/last_seen.ts";
import { SwitchboardCounts } from "./listeners/switchboard_counts.ts";
import { logEvent } from "./listeners/switchboard_log.ts";
import { log } from "./log/logging.ts";
import { Pacer } from "./limits/arrivals.ts";
import { Ports } from "./ports.ts";
import { type Abilities, adaptToRuntime } from "./runtime/abilities.ts";
import { Refusals } from "./http/refusals.ts";
import { Revocations } from "./turns/revocations.ts";
import { RevokedWorkspaces } from "./turns/revoked_workspaces.ts";
import { sendAway } from "./send_away.ts";
import type { Services } from "./services.ts";
import { waitForTurnToServe } from "./store/data_directory.ts";
import { Store, type StoreOptions } from "./store/store.ts";
import type { RevokedWorkspace } from "./store/watched_endings.ts";
import { watchStore } from "./store/store_watch.ts";
import type { Contention } from "./switchboard/contention.ts";
import { TURN_REVOKED, WORKSPACE_REVOKED } from "./switchboard/close_codes.ts";
import type { GateTimes } from "./switchboard/handshake_gate.ts";
import { OpenSockets } from "./switchboard/open_sockets.ts";
import { Switchboard } from "./switchboard/switchboard.ts";
import { ServerCertificate } from "./tls/server_certificate.ts";
import { sleep, within } from "./time/within.ts";

/** How many revoked turns are held in memory; the package page says about 10,000. */
const MAX_REVOKED = 10_000;

/** How long requests in hand and the store have to finish, each, in milliseconds. */
const FINISH_TIMEOUT_MS = 2_000;

/** How long to wait for the database of the gateway that this one takes over from, in milliseconds. */
const TAKE_OVER_TIMEOUT_MS = 15_000;

/** How long a gateway that waits for its turn to serve is given to listen, in milliseconds. */
const SUCCESSOR_LISTENS_MS = 150;

/** What tests make smaller. */
interface Limits {
  /** How many bcrypt checks may wait. */
  maxWaitingChecks?: number;
  /** How many revoked turns memory holds. */
  maxRevokedInMemory?: number;
  /** One with a clock of its own. */
  contention?: Contention;
  /** When the port of a gateway that stops may close; see {@linkcode sendAway}. */
  portClosesAfterMs?: readonly number[];
  /** How long a peer may take nothing of what waits for it, in milliseconds. */
  stuckMs?: number;
  /** How long a harness may take to begin, in milliseconds. */
  beginWithinMs?: number;
  /** For how long failed handshakes count, and others wait for them. */
  handshakes?: GateTimes;
  /** How long an executor that registered has to dial in, in milliseconds. */
  dialsWithinMs?: number;
}

/** A running gateway: it owns the store, the registry, the revoked set and the listener. */
export class Server {
  /** What it serves TLS with; `undefined` where it serves plain HTTP. */
  readonly certificate: ServerCertificate | undefined;
  readonly #services: Services;
  readonly #ports: Ports;
  readonly #stop: AbortController;
  /** Held where gateways take turns to serve from a data directory. */
  readonly #turn: Deno.FsFile | undefined;
  readonly #portClosesAfterMs: readonly number[] | undefined;
  #stopped: Promise<void> | undefined;

  private constructor(
    services: Services,
    ports: Ports,
    certificate: ServerCertificate | undefined,
    stop: AbortController,
    turn: Deno.FsFile | undefined,
    { portClosesAfterMs }: Limits,
  ) {
    this.certificate = certificate;
    this.#services = services;
    this.#ports = ports;
    this.#stop = stop;
    this.#turn = turn;
    this.#portClosesAfterMs = portClosesAfterMs;
    certificate?.watch(stop.signal);
  }

  /**
   * Opens the store and starts to serve.
   *
   * @throws {CertificateError} when the TLS certificate cannot be served
   * @throws {ListenError} when the address is taken or not this machine's
   * @throws what {@linkcode Store.open} throws when the database cannot be used
   */
  static async start(config: Config, limits: Limits = {}): Promise<Server> {
    const { sharePort, databaseUrl } = config;
    const certificate = await ServerCertificate.load(config);
    if (sharePort && databaseUrl === undefined) {
      return await this.#takeOver(config, limits, certificate);
    }
    const stop = new AbortController();
    const services = await openServices(config, limits, stop.signal);
    try {
      const ports = await Ports.open(
        config,
        certificate,
        (side) => (req, info) => dispatch(services, side, req, info),
      );
      return new Server(services, ports, certificate, stop, undefined, limits);
    } catch (error) {
      await closeServices(services);
      throw error;
    }
  }

  /**
   * Starts where the port may be shared and the database may not: waits until the gateway that serves
   * begins to stop, and then listens before it has the database, so that what comes in between is
   * answered late and not refused.
   */
  static async #takeOver(
    config: Config,
    limits: Limits,
    certificate: ServerCertificate | undefined,
  ): Promise<Server> {
    const turn = await waitForTurnToServe(config.dataDir, () => {
      log.info("waiting for the gateway that uses the data directory to stop", {
        data_dir: config.dataDir,
      });
    });
    let ports: Ports | undefined;
    try {
      const stop = new AbortController();
      const opening = Promise.withResolvers<Services>();
      // Nobody may be there to hear that it failed.
      opening.promise.catch(() => {});
      ports = await Ports.open(config, certificate, (side) => async (req, info) => {
        const arrivedAt = performance.now();
        return dispatch(await opening.promise, side, req, info, arrivedAt);
      });
      const services = await openServices(
        { ...config, dataDirWaitMs: TAKE_OVER_TIMEOUT_MS },
        limits,
        stop.signal,
      );
      opening.resolve(services);
      return new Server(services, ports, certificate, stop, turn, limits);
    } catch (error) {
      await ports?.shutdown();
      turn.close();
      throw error;
    }
  }

  /** Where it listens. */
  get addr(): Deno.NetAddr {
    return this.#ports.addr;
  }

  /** Where its internal endpoints are, if they have a port of their own. */
  get internalAddr(): Deno.NetAddr | undefined {
    return this.#ports.internalAddr;
  }

  /**
   * Stops: joins nobody any more, closes every websocket with 1012, answers what comes until the port
   * closes, finishes what the store has in hand. Resolves when all is done, within ten seconds.
   */
  shutdown(): Promise<void> {
    return this.#stopped ??= this.#shutdown();
  }

  async #shutdown(): Promise<void> {
    this.#turn?.close();
    if (this.#turn !== undefined) await sleep(SUCCESSOR_LISTENS_MS);
    this.#stop.abort();
    await sendAway(this.#services.openSockets, this.#portClosesAfterMs);
    // The listener goes last: its shutdown cuts the connections on which no request has come.
    await atMost(FINISH_TIMEOUT_MS, this.#ports.shutdown(), "requests did not finish");
    await closeServices(this.#services);
  }
}

/** @param stop aborted when the gateway begins to stop */
async function openServices(
  config: Config & StoreOptions,
  {
    maxWaitingChecks,
    maxRevokedInMemory = MAX_REVOKED,
    contention,
    stuckMs,
    beginWithinMs,
    handshakes,
    dialsWithinMs,
  }: Limits,
  stopping: AbortSignal,
): Promise<Services> {
  const registrationTokens = new RegistrationTokens({ maxWaiting: maxWaitingChecks });
  // While the database is opened, which takes longer.
  const adapted = adaptToRuntime();
  adapted.catch(() => {});
  let store: Store | undefined;
  try {
    const opened = store = await Store.open(config);
    warnOfRuntime(await adapted);
    const { maxStreams, maxBufferedBytes, maxFrameBytes } = config;
    const switchboard = new Switchboard({
      limits: { maxStreams, maxBufferedBytes, maxFrameBytes, handshakes },
      stuckMs,
      beginWithinMs,
      contention,
    });
    const keptS = config.maxTokenTtlS + CLOCK_LEEWAY_S;
    const [revocations, revokedWorkspaces] = await Promise.all([
      Revocations.load(store, maxRevokedInMemory, keptS),
      RevokedWorkspaces.load(store.endings, keptS),
    ]);
    const lastSeen = lastSeenIn(store, switchboard);
    const switchboardCounts = new SwitchboardCounts();
    switchboard.on(logEvent);
    switchboard.on((event) => switchboardCounts.count(event));
    switchboard.on((event) => lastSeen.heed(event));
    const services: Services = {
      config,
      store,
      switchboard,
      switchboardCounts,
      revocations,
      revokedWorkspaces,
      registrationTokens,
      wrongTokens: new WrongTokens(),
      wrongSecrets: new WrongSecrets(),
      tickets: await deriveTickets(
        config.capTokenHmacSecret,
        config.capTokenHmacSecretPrevious,
      ),
      usedTickets: new SingleUse(),
      directKeys: await DirectKeys.derive(
        config.capTokenHmacSecret,
        config.capTokenHmacSecretPrevious,
      ),
      usedSignatures: new SingleUse(),
      lastSeen,
      openSockets: new OpenSockets(config.maxBufferedBytes, config.maxTotalBufferedBytes),
      trustedProxies: new TrustedProxies(config.trustedProxies),
      connections: new Holdings(config.maxConnectionsPerAddress),
      refusals: new Refusals(),
      awaitedDials: new AwaitedDials(
        (exeId, seconds) => opened.registrations.wasSeen(exeId, seconds),
        dialsWithinMs,
      ),
      arrivals: new Pacer(),
      startedAt: Date.now(),
      stopping,
    };
    revocations.startPruner(stopping);
    revokedWorkspaces.startPruner(stopping);
    if (config.databaseUrl !== undefined) {
      const executorWatch = new ExecutorWatch(store, switchboard);
      switchboard.on((event) => executorWatch.heed(event));
      watchStore([
        (seconds) => revocations.catchUp(seconds, (turnId) => endTurn(switchboard, turnId)),
        (seconds) =>
          revokedWorkspaces.catchUp(seconds, (revoked) => endWorkspace(services, revoked)),
        (seconds) => executorWatch.catchUp(seconds),
      ], stopping);
    }
    services.openSockets.startSweep(config.pingIntervalS, stopping);
    lastSeen.startHeartbeat(
      () => switchboard.connected().map(sightingOf),
      stopping,
    );
    return services;
  } catch (error) {
    registrationTokens[Symbol.dispose]();
    await store?.close();
    throw error;
  }
}

/** Says what slow peers cost where the runtime lacks what holds their senders. */
function warnOfRuntime({ holds, pings }: Abilities): void {
  const deno = Deno.version.deno;
  if (!holds) {
    log.warn(
      "this runtime cannot stop reading from a peer: what a slow reader is sent waits in memory, and over " +
        "CXG_MAX_BUFFERED it is closed. Run the release of Deno that the README names",
      { deno },
    );
  }
  if (!pings) {
    log.warn(
      "this runtime pings by itself: a peer that takes long for what was sent to it may be taken for dead. " +
        "Run the release of Deno that the README names",
      { deno },
    );
  }
}

async function closeServices(
  { registrationTokens, refusals, awaitedDials, lastSeen, store }: Services,
): Promise<void> {
  awaitedDials[Symbol.dispose]();
  refusals[Symbol.dispose]();
  registrationTokens[Symbol.dispose]();
  await atMost(
    FINISH_TIMEOUT_MS,
    lastSeen.drain().then(() => store.close()),
    "the store did not close",
  );
}

function lastSeenIn(store: Store, switchboard: Switchboard): LastSeen {
  return new LastSeen(
    (sightings) => store.registrations.noteSeen(sightings),
    // Removed while it dialled in, or by somebody else than this process.
    (exeId) => switchboard.remove(exeId),
  );
}

function endTurn(switchboard: Switchboard, turnId: string): void {
  switchboard.endTurn(
    turnId,
    TURN_REVOKED,
    (bridges) => log.info("turn revoked elsewhere", { turn_id: turnId, bridges }),
  );
}

function endWorkspace(
  { switchboard, revokedWorkspaces }: Services,
  { workspace_id }: RevokedWorkspace,
): void {
  const isRevoked = (issuedAt: number) => revokedWorkspaces.isRevoked(workspace_id, issuedAt);
  switchboard.endWorkspace(
    workspace_id,
    isRevoked,
    WORKSPACE_REVOKED,
    (bridges) => log.info("workspace revoked elsewhere", { workspace_id, bridges }),
  );
}

async function atMost(ms: number, work: Promise<unknown>, complaint: string): Promise<void> {
  if (!await within(ms, work)) {
    log.warn("stopping without waiting longer", { reason: complaint, ms });
  }
}
