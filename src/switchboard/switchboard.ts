/**
 * Who is joined to whom.
 *
 *     executor ──dialIn──▶ ExecutorLink ◀──open── harness
 *                              │
 *              Bridge: Wire ──▶│◀── Wire        one for each direction, each the only sender to its peer
 *                              │
 *                         SwitchboardEvent ──▶ the log, the metrics, who was seen
 *
 * It owns every join from its beginning to its end: the registry of executors and the lock of exclusive
 * ones, the bridges of each turn, and what is said about them. It refuses to know of credentials, of HTTP,
 * and of the store: handlers judge, and call one method here.
 *
 * @module
 */
import type { Registration } from "../model.ts";
import { ConnRegistry } from "./conn_registry.ts";
import { Contention } from "./contention.ts";
import type { Cause } from "./causes.ts";
import {
  CONTESTED,
  type Ending,
  EXECUTOR_REPLACED,
  HARNESS_LOST,
  REMOVED,
  REPLACED,
} from "./close_codes.ts";
import type { BridgeInfo, Connection, Listener, SwitchboardEvent } from "./events.ts";
import { ExclusiveLink } from "./exclusive_link.ts";
import { dialsAgain, type ExecutorLink, type Join, type OnBridgeEnd } from "./executor_link.ts";
import type { LinkLimits } from "./limits.ts";
import { type BeforeEnding, LiveTurns } from "./live_turns.ts";
import { LiveWorkspaces } from "./live_workspaces.ts";
import type { PeerSocket } from "./peer_socket.ts";
import { Pressure } from "./pressure.ts";
import { type RelayLimits, RelayLink } from "./relay_link.ts";
import { Traffic } from "./traffic.ts";
import { Unbegun } from "./unbegun.ts";

/** How long a harness's websocket may take to open, in milliseconds. */
const OPEN_TIMEOUT_MS = 10_000;

/**
 * How many bridges a turn may have to one executor. Each codex process of a turn has one, and one that was
 * cut and comes back has its earlier one beside it until that is found dead.
 */
export const MAX_TURN_BRIDGES = 8;

/** Another session holds the executor. */
export class ExecutorHeldError extends Error {
  override name = "ExecutorHeldError";

  /** @param since when that session began, where it is known */
  constructor(exeId: string, readonly since: Date | undefined) {
    super(`${exeId} is held by another session`);
  }
}

/** The turn has as many bridges to the executor as it may. */
export class TooManyBridgesError extends Error {
  override name = "TooManyBridgesError";
}

/** What a switchboard is made with. */
export interface SwitchboardOptions {
  readonly limits: LinkLimits & RelayLimits;
  /** How long a peer may take nothing of what waits for it, in milliseconds; half a minute by default. */
  readonly stuckMs?: number;
  /** How long a harness may take to begin, in milliseconds; a minute by default. */
  readonly beginWithinMs?: number;
  readonly contention?: Contention;
}

/** An executor that dials in, its credential judged. */
export interface Arrival {
  readonly exeId: string;
  /** Absent when it dialled with its registration token directly. */
  readonly registration?: Registration;
  /** What it was let in with; see {@linkcode Connection}. */
  readonly proof?: string;
  /** The address that it comes from. */
  readonly remote: string;
}

/** On whose behalf a harness asks for a bridge, its credential judged. */
export type Caller = Omit<BridgeInfo, "exeId" | "kind">;

/** Makes a websocket of a request, hands it over and returns the answer; what it throws is the refusal. */
export type Upgrade = (connect: (harness: PeerSocket) => void) => Response;

/** See the head of this file. */
export class Switchboard {
  /** What has passed since the process began. */
  readonly traffic = new Traffic();
  /** Who is held, because a peer reads slowly. */
  readonly pressure: Pressure;
  /** Whose connections replace each other. */
  readonly contention: Contention;

  readonly #limits: LinkLimits & RelayLimits;
  readonly #registry = new ConnRegistry<ExecutorLink>(dialsAgain);
  readonly #connections = new Map<ExecutorLink, Connection>();
  readonly #turns = new LiveTurns();
  readonly #workspaces = new LiveWorkspaces();
  readonly #unbegun: Unbegun;
  readonly #listeners = new Set<Listener>();

  constructor(
    { limits, stuckMs, beginWithinMs, contention = new Contention() }: SwitchboardOptions,
  ) {
    this.#unbegun = new Unbegun(beginWithinMs);
    this.#limits = limits;
    this.pressure = new Pressure(stuckMs);
    this.contention = contention;
  }

  /**
   * Tells a listener what happens from now on, after what is there now: a "connected" for each executor.
   *
   * @returns stops telling it
   */
  on(listener: Listener): () => void {
    for (const connection of this.#connections.values()) {
      listener({ type: "executor connected", connection });
    }
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The executor's link, if it is connected. */
  find(exeId: string): ExecutorLink | undefined {
    return this.#registry.lookup(exeId);
  }

  /** The executor's connection, if it has one. */
  connectionOf(exeId: string): Connection | undefined {
    const link = this.find(exeId);
    return link && this.#connections.get(link);
  }

  /** The links of the executors that are connected. */
  connected(): ExecutorLink[] {
    return [...this.#connections.keys()];
  }

  /** The executor's link, now or as soon as it dials in; see {@linkcode ConnRegistry.waitFor}. */
  waitFor(exeId: string, ms: number, signal: AbortSignal): Promise<ExecutorLink | undefined> {
    return this.#registry.waitFor(exeId, ms, signal);
  }

  /** How long ago the executor left, in milliseconds, if that was here and lately. */
  leftMsAgo(exeId: string): number | undefined {
    return this.#registry.leftMsAgo(exeId);
  }

  /** Whether an executor that left dials again of itself. */
  dialsAgain(exeId: string): boolean {
    return this.#registry.dialsAgain(exeId);
  }

  /** For how long newcomers are refused for the connection that is there, in milliseconds; 0 when they are not. */
  refusesNewcomersForMs(exeId: string): number {
    return this.find(exeId) === undefined ? 0 : this.contention.contestedForMs(exeId);
  }

  /**
   * Takes an executor in. Its earlier connection, if there is one, is closed.
   *
   * @param socket its websocket, open
   */
  dialIn({ exeId, registration, proof, remote }: Arrival, socket: PeerSocket): void {
    // It was let in at the same time as the one that began the contest.
    if (this.refusesNewcomersForMs(exeId) > 0) return socket.close(CONTESTED);
    const link: ExecutorLink = this.#makeLink(
      exeId,
      registration,
      socket,
      (cause) => this.#left(link, cause),
    );
    const evicted = this.#registry.register(exeId, link);
    const connection = { link, remote, proof, since: performance.now() };
    this.#connections.set(link, connection);
    this.#tell({ type: "executor connected", connection });
    const replacement = this.contention.arrived(exeId, link, remote, evicted);
    if (replacement !== undefined) {
      this.#tell({ type: "executor replaced", exeId, remote, ...replacement });
    }
    evicted?.close(REPLACED, EXECUTOR_REPLACED);
  }

  /**
   * Opens a bridge to an executor.
   *
   * @param upgrade called when the executor is ready for it
   * @returns the answer to the harness's request
   * @throws {ExecutorHeldError} when the executor serves one at a time, and does
   * @throws {TooManyBridgesError} when the turn has its share of bridges
   * @throws what `upgrade` throws: then nothing is held
   */
  async open(caller: Caller, link: ExecutorLink, upgrade: Upgrade): Promise<Response> {
    const { exeId } = link;
    const holder = {};
    const isExclusive = link.kind === "exclusive";
    if (isExclusive && !this.#registry.acquireBridge(exeId, holder)) {
      throw new ExecutorHeldError(exeId, this.#registry.heldSince(exeId));
    }
    try {
      const join = await link.open(caller);
      if (!this.mayOpen(caller.turnId, exeId)) throw new TooManyBridgesError();
      return upgrade((harness) => this.#join(caller, link, join, harness, holder));
    } catch (error) {
      this.#registry.releaseBridge(exeId, holder);
      throw error;
    }
  }

  /** Whether a turn has fewer bridges to an executor than it may. */
  mayOpen(turnId: string, exeId: string): boolean {
    return this.#turns.count(turnId, exeId) < MAX_TURN_BRIDGES;
  }

  /** The executor was removed: its connection ends, and it is expected back no more. */
  remove(exeId: string): void {
    this.expel(exeId, REMOVED);
  }

  /** Ends an executor's connection; it is expected back no more. */
  expel(exeId: string, ending: Ending): void {
    this.find(exeId)?.close(ending, ending);
    this.#registry.forget(exeId);
  }

  /**
   * Ends every bridge of a turn, which must not go on; returns how many there were.
   *
   * @param before told how many before they end
   */
  endTurn(turnId: string, ending: Ending, before?: BeforeEnding): number {
    return this.#turns.end(turnId, ending, before);
  }

  /**
   * Ends the bridges of a workspace, which must not go on.
   *
   * @param isRevoked by when the token was issued that a bridge was opened with
   * @param before told how many before they end
   * @returns how many there were
   */
  endWorkspace(
    workspaceId: string,
    isRevoked: (issuedAt: number) => boolean,
    ending: Ending,
    before?: BeforeEnding,
  ): number {
    return this.#workspaces.end(workspaceId, isRevoked, ending, before);
  }

  /** How many bridges a workspace has to an executor. */
  bridgesOf(workspaceId: string, exeId: string): number {
    return this.#workspaces.count(workspaceId, exeId);
  }

  /** Whether the turn has a bridge to the executor, or had one until a moment ago. */
  goesOn(turnId: string, exeId: string): boolean {
    return this.#turns.goesOn(turnId, exeId);
  }

  #join(caller: Caller, link: ExecutorLink, join: Join, harness: PeerSocket, holder: object): void {
    const { exeId, kind } = link;
    const bridge: BridgeInfo = { ...caller, exeId, kind };
    let openedAt: number | undefined;
    // A harness that goes before the answer reaches it gets no event at all, not even a close.
    const timer = setTimeout(() => end(HARNESS_LOST), OPEN_TIMEOUT_MS);
    harness.whenOpen(() => {
      clearTimeout(timer);
      openedAt = performance.now();
      this.#tell({ type: "bridge opened", bridge, ms: openedAt - bridge.arrivedAt });
    });
    const onEnd: OnBridgeEnd = (cause, passed) => {
      clearTimeout(timer);
      this.#unbegun.remove(end);
      this.#turns.remove(bridge.turnId, end);
      this.#workspaces.remove(bridge.workspaceId, end);
      this.#registry.releaseBridge(exeId, holder);
      const ms = openedAt === undefined ? 0 : performance.now() - openedAt;
      this.#tell({ type: "bridge ended", bridge, cause, passed, ms });
    };
    const end = join(harness, onEnd, () => this.#unbegun.remove(end));
    this.#unbegun.add(end);
    this.#turns.add(bridge.turnId, exeId, end);
    this.#workspaces.add(bridge.workspaceId, exeId, bridge.issuedAt ?? 0, end);
  }

  #left(link: ExecutorLink, cause: Cause): void {
    this.#registry.unregister(link.exeId, link);
    const connection = this.#connections.get(link)!;
    this.#connections.delete(link);
    const ms = performance.now() - connection.since;
    this.#tell({ type: "executor left", connection, cause, ms });
  }

  #makeLink(
    exeId: string,
    registration: Registration | undefined,
    socket: PeerSocket,
    onLeave: (cause: Cause) => void,
  ): ExecutorLink {
    const { traffic, pressure } = this;
    return isOfRelay(registration)
      ? new RelayLink(exeId, registration, this.#limits, traffic, pressure, socket, onLeave)
      : new ExclusiveLink(exeId, registration, this.#limits, traffic, pressure, socket, onLeave);
  }

  #tell(event: SwitchboardEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

function isOfRelay(
  registration: Registration | undefined,
): registration is Registration & { kind: "relay" | "noise" } {
  return registration !== undefined && registration.kind !== "exclusive";
}
