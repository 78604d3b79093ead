import { isExecutorTicket } from "../auth/tickets.ts";
import { log } from "../logging.ts";
import type { ExecutorKind } from "../model.ts";
import type { Services } from "../services.ts";
import { EXECUTOR_REPLACED, REPLACED } from "../switchboard/endings.ts";
import { ExclusiveLink } from "../switchboard/exclusive_link.ts";
import { HttpError, type RequestContext, socketCredential, unauthorized } from "./http.ts";
import { requireWebSocket, upgrade } from "./upgrade.ts";

/** `GET /codex-exec/{exe_id}`: an executor dials in and stays. */
export async function codexExec(services: Services, context: RequestContext): Promise<Response> {
  const { req, params, remote } = context;
  const exeId = params.exe_id!;
  const credential = socketCredential(context);
  if (credential === undefined) throw new HttpError(400, "missing token");
  const kind = await authenticate(services, exeId, credential);
  if (kind === undefined) throw unauthorized("unknown executor or wrong token");
  requireWebSocket(req);
  return upgrade(services, req, (socket) => {
    socket.onopen = () => connect(services, exeId, socket, remote);
  });
}

/** The kind of socket that the credential stands for; `undefined` when it is no good. */
async function authenticate(
  { store, registrationTokens, tickets }: Services,
  exeId: string,
  credential: string,
): Promise<ExecutorKind | undefined> {
  if (isExecutorTicket(credential)) {
    const ticket = await tickets.openExecutorTicket(credential);
    if (ticket?.exe_id !== exeId) return undefined;
    const newest = await store.getRegistration(exeId);
    return newest?.registration_id === ticket.registration_id ? ticket.kind : undefined;
  }
  const hash = await store.getRegistrationTokenHash(exeId);
  return await registrationTokens.verify(credential, hash) ? "exclusive" : undefined;
}

function connect(services: Services, exeId: string, socket: WebSocket, remote: string): void {
  const { registry, lastSeen } = services;
  const link = new ExclusiveLink(exeId, socket, () => {
    registry.unregister(exeId, link);
    lastSeen.note(exeId);
    log.info("executor disconnected", { exe_id: exeId, dropped_frames: link.droppedFrames });
  });
  const evicted = registry.register(exeId, link);
  lastSeen.note(exeId);
  log.info("executor connected", { exe_id: exeId, kind: link.kind, remote });
  if (evicted !== undefined) {
    log.warn("executor dialled in anew: its earlier connection is closed", { exe_id: exeId });
    evicted.close(REPLACED, EXECUTOR_REPLACED);
  }
}
