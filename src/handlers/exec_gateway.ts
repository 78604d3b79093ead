import { type CapPayload, isTurnId } from "../auth/capability_token.ts";
import { log } from "../log/logging.ts";
import type { Services } from "../services.ts";
import { TURN_REVOKED } from "../switchboard/close_codes.ts";
import { checkId, readFields } from "../http/body.ts";
import { refuseRevoked, verifyCapability } from "./capability_auth.ts";
import { firstGood } from "../http/first_good.ts";
import { gatewayApi, holdsSecret } from "./internal_auth.ts";
import {
  bearerToken,
  HttpError,
  noContent,
  prefersRepresentation,
  type RequestContext,
} from "../http/context.ts";

/**
 * `GET /api/exec-gateway/connected?workspace_id=`: the workspace's executors that are connected. Besides
 * the internal secret it takes a capability token, for the token's own workspace.
 */
export async function connectedExecutors(
  services: Services,
  context: RequestContext,
): Promise<Response> {
  const { url } = context;
  const { store, switchboard } = services;
  const cap = await capabilityOf(services, context);
  const workspaceId = checkId(url.searchParams.get("workspace_id") ?? "", "workspace_id");
  if (cap !== undefined && cap.workspace_id !== workspaceId) {
    throw new HttpError(403, "the capability token is for another workspace")
      .because("token_other_workspace");
  }
  const connected = await store.connectedExecutorsForWorkspace(
    workspaceId,
    switchboard.connected().map(({ exeId }) => exeId),
  );
  return Response.json(connected.map((executor) => ({ ...executor, is_online: true })));
}

/**
 * The capability token that a request comes with, if it does not come with the secret.
 *
 * @throws {HttpError} 401 without either, 429 after too many wrong secrets
 */
async function capabilityOf(
  services: Services,
  context: RequestContext,
): Promise<CapPayload | undefined> {
  const { req } = context;
  const token = bearerToken(req);
  const bySecret = () => {
    gatewayApi(services, context);
    return undefined;
  };
  if (!token?.includes(".") || holdsSecret(req, services.config.internalSharedSecret)) {
    return bySecret();
  }
  const byToken = async () => {
    const cap = await verifyCapability(services, context, token);
    await refuseRevoked(services, cap);
    return cap;
  };
  // A wrong secret beside a bad token counts as one.
  const hasSecret = req.headers.has("x-internal-secret");
  return await firstGood<CapPayload | undefined>(hasSecret ? [byToken, bySecret] : [byToken]);
}

/**
 * `POST /api/exec-gateway/revoke-turn`: the turn's tokens are good no more, for as long as one could
 * live, and its bridges end. Answers 204; with `Prefer: return=representation` (RFC 7240) what was done.
 */
export async function revokeTurn(
  { revocations, switchboard }: Services,
  { req }: RequestContext,
): Promise<Response> {
  const body = await readFields(req, ["turn_id", "exp"]);
  const turnId = body.turn_id;
  if (turnId === undefined) throw new HttpError(400, "turn_id is required");
  // Whatever a token may carry can be revoked.
  if (!isTurnId(turnId)) {
    throw new HttpError(400, "turn_id must be a text of 1 to 1024 characters");
  }
  // A typed client sends 0 for none.
  const exp = body.exp ?? 0;
  if (typeof exp !== "number" || !Number.isSafeInteger(exp)) {
    throw new HttpError(400, "exp must be whole unix seconds");
  }
  const kept = revocations.revoke(turnId, exp);
  const ended = switchboard.endTurn(
    turnId,
    TURN_REVOKED,
    (bridges) => log.info("turn revoked", { turn_id: turnId, bridges }),
  );
  const until = await kept;
  if (!prefersRepresentation(req)) return noContent();
  return Response.json({ turn_id: turnId, revoked_until: until, bridges_ended: ended });
}
