import { log } from "../logging.ts";
import type { ExecutorKind } from "../model.ts";
import type { Services } from "../services.ts";
import { EXECUTOR_REPLACED, REPLACED } from "../switchboard/endings.ts";
import { ExclusiveLink } from "../switchboard/exclusive_link.ts";
import type { ExecutorLink } from "../switchboard/executor_link.ts";
import { RelayLink } from "../switchboard/relay_link.ts";
import { HttpError, type RequestContext, socketCredential, unauthorized } from "./http.ts";
import { requireWebSocket, upgrade } from "./upgrade.ts";

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
  const origin = await authenticate(services, exeId, credential);
  if (origin === undefined) throw unauthorized("unknown executor or wrong token");
  requireWebSocket(req);
  return upgrade(services, req, (socket) => {
    socket.onopen = () => connect(services, exeId, origin, socket, remote);
  });
}

/** What the credential stands for; `undefined` when it is no good. */
async function authenticate(
  { store, registrationTokens, tickets }: Services,
  exeId: string,
  credential: string,
): Promise<Origin | undefined> {
  if (tickets.executor.looksLike(credential)) {
    const ticket = await tickets.executor.open(credential);
    if (ticket?.exe_id !== exeId) return undefined;
    const newest = await store.getRegistration(exeId);
    if (newest?.registration_id !== ticket.registration_id) return undefined;
    return { kind: ticket.kind, registrationId: ticket.registration_id };
  }
  const hash = await store.getRegistrationTokenHash(exeId);
  return await registrationTokens.verify(credential, hash) ? { kind: "exclusive" } : undefined;
}

function connect(
  services: Services,
  exeId: string,
  origin: Origin,
  socket: WebSocket,
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
  socket: WebSocket,
  onLeave: () => void,
): ExecutorLink {
  const limits = { maxStreams, maxBufferedBytes, maxFrameBytes };
  return kind === "exclusive" || registrationId === undefined
    ? new ExclusiveLink(exeId, registrationId, limits, traffic, socket, onLeave)
    : new RelayLink(exeId, { kind, registrationId }, limits, traffic, socket, onLeave);
}
