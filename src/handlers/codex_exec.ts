import { isSigned } from "../auth/sigv4.ts";
import { log } from "../logging.ts";
import type { Registration } from "../model.ts";
import { sightingOf } from "../last_seen.ts";
import type { Services } from "../services.ts";
import type { Replacement } from "../switchboard/contention.ts";
import { CONTESTED, EXECUTOR_REPLACED, REPLACED } from "../switchboard/endings.ts";
import { ExclusiveLink } from "../switchboard/exclusive_link.ts";
import type { ExecutorLink } from "../switchboard/executor_link.ts";
import type { PeerSocket } from "../switchboard/peer_socket.ts";
import { RelayLink } from "../switchboard/relay_link.ts";
import {
  HttpError,
  type RequestContext,
  socketCredential,
  unauthorized,
  unavailable,
} from "./http.ts";
import { requireSignedUpgrade } from "./direct_auth.ts";
import { isRegistrationToken } from "./registration_auth.ts";
import { requireWebSocket, upgrade } from "./upgrade.ts";
import { executorLabel } from "./wording.ts";

/** When an executor whose earlier connections do not read may come again, in seconds. */
const BEHIND_RETRY_AFTER_S = 30;

/** codex registers afresh then, and dials the URL that it is given. */
const TICKET_ENDED = "the ticket in the URL has ended; call register for another";

/** How an executor's socket came. */
interface Origin {
  /** Absent when it dialled with its registration token directly. */
  readonly registration?: Registration;
  /**
   * Uses its credential up, where it is good once.
   *
   * @throws {HttpError} when it was used before
   */
  readonly useUp?: () => void;
}

/** `GET /codex-exec/{exe_id}`: an executor dials in and stays. */
export async function codexExec(services: Services, context: RequestContext): Promise<Response> {
  const { req, params, remote } = context;
  const exeId = params.exe_id!;
  const credential = socketCredential(context);
  const isDirect = isSigned(req);
  if (credential === undefined && !isDirect) throw tokenMissing();
  await services.arrivals.turn(context.source);
  const origin = isDirect
    ? await requireSignedUpgrade(services, context, exeId)
    : await authenticate(services, context, exeId, credential!);
  if (origin === undefined) throw dialRefused();
  requireWebSocket(req);
  const owner = `executor ${exeId}`;
  if (services.openSockets.isRefused(owner)) {
    throw unavailable(
      `too many connections of ${executorLabel(exeId)} have stopped reading; stop their ` +
        `processes, or wait ${BEHIND_RETRY_AFTER_S} s and try again`,
      BEHIND_RETRY_AFTER_S,
    );
  }
  refuseContested(services, exeId, remote);
  origin.useUp?.();
  return upgrade(services, context, owner, (socket) => {
    socket.whenOpen(() => connect(services, exeId, origin, socket, remote));
  });
}

/**
 * Refuses a newcomer while the executor is contested and has a connection.
 *
 * @throws {HttpError} 409: each codex comes again then, ever more slowly
 */
function refuseContested(
  { registry, contention }: Services,
  exeId: string,
  remote: string,
): void {
  const ms = contention.contestedForMs(exeId);
  if (ms === 0 || registry.lookup(exeId) === undefined) return;
  log.info("executor refused: it is contested, and connected from elsewhere", {
    exe_id: exeId,
    remote,
  });
  throw new HttpError(
    409,
    `${executorLabel(exeId)} is connected already, and several machines use its registration ` +
      "token: give each machine an executor and a token of its own",
    { "retry-after": String(Math.ceil(ms / 1000)) },
  );
}

function tokenMissing(): HttpError {
  return new HttpError(
    400,
    "missing token; send the registration token as Authorization: Bearer, or dial the URL that " +
      "register answered with",
    {},
    "missing_signature",
  );
}

/** One answer for an executor that does not exist and for a token that is not its own. */
function dialRefused(): HttpError {
  return unauthorized(
    "unknown executor or wrong token; call register again with the token that `executor add` " +
      "printed, and dial the URL that it answers with",
    "invalid_secret",
  );
}

/** What the credential stands for; `undefined` when it is no good. */
async function authenticate(
  services: Services,
  context: RequestContext,
  exeId: string,
  credential: string,
): Promise<Origin | undefined> {
  const { store, tickets, registry } = services;
  if (tickets.executor.looksLike(credential)) {
    const ticket = await tickets.executor.open(credential);
    if (ticket?.exe_id !== exeId) return undefined;
    const found = await store.registrations.find(exeId, ticket.registration_id);
    if (found === undefined) return undefined;
    // The store may not have heard of a connection that lasts: it may have been away.
    const live = registry.lookup(exeId)?.registration?.registration_id;
    if (!found.isFresh && live !== ticket.registration_id) throw unauthorized(TICKET_ENDED);
    return { registration: found.registration };
  }
  const isRight = await isRegistrationToken(services, context, exeId, credential);
  return isRight ? {} : undefined;
}

function connect(
  services: Services,
  exeId: string,
  origin: Origin,
  socket: PeerSocket,
  remote: string,
): void {
  const { registry, lastSeen, contention } = services;
  if (contention.contestedForMs(exeId) > 0 && registry.lookup(exeId) !== undefined) {
    // It was let in at the same time as the one that began the contest.
    return socket.close(CONTESTED);
  }
  const link: ExecutorLink = makeLink(services, exeId, origin, socket, () => {
    registry.unregister(exeId, link);
    lastSeen.note(sightingOf(link));
    log.info("executor disconnected", { exe_id: exeId, dropped_frames: link.drops.byReason() });
  });
  const evicted = registry.register(exeId, link);
  lastSeen.note({ ...sightingOf(link), dialled: true });
  log.info("executor connected", { exe_id: exeId, kind: link.kind, remote });
  const replacement = contention.arrived(exeId, link, remote, evicted);
  if (replacement !== undefined) logReplacement(exeId, remote, replacement);
  evicted?.close(REPLACED, EXECUTOR_REPLACED);
}

function logReplacement(
  exeId: string,
  remote: string,
  { earlierRemote, earlierAgeMs, lately, beginsContest }: Replacement,
): void {
  const fields = {
    exe_id: exeId,
    remote,
    earlier_remote: earlierRemote,
    earlier_lasted_s: Math.round(earlierAgeMs / 1000),
  };
  log.warn("executor dialled in anew: its earlier connection is closed", fields);
  if (!beginsContest) return;
  log.error(
    "two machines seem to use one registration token, and take the executor from each other: give each " +
      "an executor and a token of its own (executor add). For a minute the one that is connected is kept",
    { ...fields, replaced_within_a_minute: lately },
  );
}

function makeLink(
  { config: { maxStreams, maxBufferedBytes, maxFrameBytes }, traffic, pressure }: Services,
  exeId: string,
  { registration }: Origin,
  socket: PeerSocket,
  onLeave: () => void,
): ExecutorLink {
  const limits = { maxStreams, maxBufferedBytes, maxFrameBytes };
  return isOfRelay(registration)
    ? new RelayLink(exeId, registration, limits, traffic, pressure, socket, onLeave)
    : new ExclusiveLink(exeId, registration, limits, traffic, pressure, socket, onLeave);
}

function isOfRelay(
  registration: Registration | undefined,
): registration is Registration & { kind: "relay" | "noise" } {
  return registration !== undefined && registration.kind !== "exclusive";
}
