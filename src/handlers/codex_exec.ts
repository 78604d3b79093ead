import { log } from "../logging.ts";
import type { ExecutorKind } from "../model.ts";
import type { Services } from "../services.ts";
import { EXECUTOR_REPLACED, REPLACED } from "../switchboard/endings.ts";
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
import { isRegistrationToken } from "./registration_auth.ts";
import { requireWebSocket, upgrade } from "./upgrade.ts";

/** When an executor whose earlier connections do not read may come again, in seconds. */
const BEHIND_RETRY_AFTER_S = 30;

/** How an executor's socket came: what it is, and by which registration. */
interface Origin {
  readonly kind: ExecutorKind;
  /** Absent when it dialled with its registration token directly. */
  readonly registrationId?: string;
}

/** `GET /codex-exec/{exe_id}`: an executor dials in and stays. */
export async function codexExec(services: Services, context: RequestContext): Promise<Response> {
  const { req, params, remote } = context;
  const exeId = params.exe_id!;
  const credential = socketCredential(context);
  if (credential === undefined) throw new HttpError(400, "missing token");
  await services.arrivals.turn(context.source);
  const origin = await authenticate(services, context, exeId, credential);
  if (origin === undefined) throw unauthorized("unknown executor or wrong token");
  requireWebSocket(req);
  const owner = `executor ${exeId}`;
  if (services.openSockets.isRefused(owner)) {
    throw unavailable(
      `too many connections of ${exeId} have stopped reading`,
      BEHIND_RETRY_AFTER_S,
    );
  }
  return upgrade(services, context, owner, (socket) => {
    socket.whenOpen(() => connect(services, exeId, origin, socket, remote));
  });
}

/** What the credential stands for; `undefined` when it is no good. */
async function authenticate(
  services: Services,
  context: RequestContext,
  exeId: string,
  credential: string,
): Promise<Origin | undefined> {
  const { store, tickets } = services;
  if (tickets.executor.looksLike(credential)) {
    const ticket = await tickets.executor.open(credential);
    if (ticket?.exe_id !== exeId) return undefined;
    const newest = await store.getRegistration(exeId);
    if (newest?.registration_id !== ticket.registration_id) return undefined;
    return { kind: ticket.kind, registrationId: ticket.registration_id };
  }
  const isRight = await isRegistrationToken(services, context, exeId, credential);
  return isRight ? { kind: "exclusive" } : undefined;
}

function connect(
  services: Services,
  exeId: string,
  origin: Origin,
  socket: PeerSocket,
  remote: string,
): void {
  const { registry, lastSeen } = services;
  const link: ExecutorLink = makeLink(services, exeId, origin, socket, () => {
    registry.unregister(exeId, link);
    lastSeen.note(exeId);
    log.info("executor disconnected", { exe_id: exeId, dropped_frames: link.drops.byReason() });
  });
  const evicted = registry.register(exeId, link);
  lastSeen.note(exeId);
  log.info("executor connected", { exe_id: exeId, kind: link.kind, remote });
  if (evicted !== undefined) {
    log.warn("executor dialled in anew: its earlier connection is closed", { exe_id: exeId });
    evicted.close(REPLACED, EXECUTOR_REPLACED);
  }
}

function makeLink(
  { config: { maxStreams, maxBufferedBytes, maxFrameBytes }, traffic }: Services,
  exeId: string,
  { kind, registrationId }: Origin,
  socket: PeerSocket,
  onLeave: () => void,
): ExecutorLink {
  const limits = { maxStreams, maxBufferedBytes, maxFrameBytes };
  return kind === "exclusive" || registrationId === undefined
    ? new ExclusiveLink(exeId, registrationId, limits, traffic, socket, onLeave)
    : new RelayLink(exeId, { kind, registrationId }, limits, traffic, socket, onLeave);
}
