import {
  CapabilityTokenError,
  type CapPayload,
  verifyCapabilityToken,
} from "../auth/capability_token.ts";
import { log } from "../logging.ts";
import type { Services } from "../services.ts";
import type { ExecutorLink } from "../switchboard/executor_link.ts";
import {
  HttpError,
  type RequestContext,
  socketCredential,
  unauthorized,
  unavailable,
} from "./http.ts";
import { locateExecutor } from "./locate_executor.ts";
import { requireWebSocket, upgrade } from "./upgrade.ts";

/** How long an upgrade may take to become an open websocket, in milliseconds. */
const OPEN_TIMEOUT_MS = 10_000;

/** `GET /bridge/{exe_id}`: a harness is joined to its executor. */
export async function bridge(services: Services, context: RequestContext): Promise<Response> {
  const { req, params } = context;
  const exeId = params.exe_id!;
  const cap = await authorize(services, context, exeId);
  const link = await locateExecutor(services, exeId, req.signal);
  if (link === undefined) throw unavailable(`executor ${exeId} is not connected`);
  // The wait may have been long enough for the turn to be revoked meanwhile.
  refuseRevoked(services, cap);
  return join(services, context, link, cap);
}

async function authorize(
  services: Services,
  context: RequestContext,
  exeId: string,
): Promise<CapPayload> {
  const token = socketCredential(context);
  if (token === undefined) throw unauthorized("missing capability token");
  let cap: CapPayload;
  try {
    cap = await verifyCapabilityToken(token, services.config.capTokenHmacSecret);
  } catch (error) {
    if (error instanceof CapabilityTokenError) throw unauthorized(error.message);
    throw error;
  }
  if (!cap.allowsExeId(exeId)) {
    throw new HttpError(403, `the capability token does not allow executor ${exeId}`);
  }
  refuseRevoked(services, cap);
  return cap;
}

function refuseRevoked({ revoked }: Services, { turn_id }: CapPayload): void {
  if (revoked.contains(turn_id)) throw unauthorized("the turn was revoked");
}

function join(
  services: Services,
  { req, remote }: RequestContext,
  link: ExecutorLink,
  { turn_id, workspace_id }: CapPayload,
): Response {
  const { registry } = services;
  const { exeId } = link;
  const holder = {};
  if (!registry.acquireBridge(exeId, holder)) {
    throw new HttpError(409, `executor ${exeId} is held by another session`);
  }
  try {
    requireWebSocket(req);
    if (req.signal.aborted) throw new HttpError(499, "the harness has gone");
  } catch (error) {
    registry.releaseBridge(exeId, holder);
    throw error;
  }
  const fields = { exe_id: exeId, turn_id, workspace_id, remote };
  return upgrade(services, req, (harness) => {
    // A harness that goes before the answer reaches it gets no event at all, not even a close.
    const timer = setTimeout(() => endBridge(), OPEN_TIMEOUT_MS);
    harness.addEventListener("open", () => {
      clearTimeout(timer);
      log.info("bridge opened", fields);
    }, { once: true });
    const endBridge = link.join(harness, () => {
      clearTimeout(timer);
      registry.releaseBridge(exeId, holder);
      log.info("bridge ended", fields);
    });
  });
}
