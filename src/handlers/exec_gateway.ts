import { isTurnId } from "../auth/capability_token.ts";
import { log } from "../logging.ts";
import type { Services } from "../services.ts";
import { TURN_REVOKED } from "../switchboard/endings.ts";
import { checkId, readJsonObject } from "./body.ts";
import { HttpError, noContent, type RequestContext } from "./http.ts";

/** How long a revocation holds when the caller does not say, in seconds. */
const DEFAULT_REVOCATION_S = 3600;

/** `GET /api/exec-gateway/connected?workspace_id=`: the workspace's executors that are connected. */
export async function connectedExecutors(
  { store, registry }: Services,
  { url }: RequestContext,
): Promise<Response> {
  const workspaceId = checkId(url.searchParams.get("workspace_id") ?? "", "workspace_id");
  return Response.json(
    await store.connectedExecutorsForWorkspace(workspaceId, registry.connectedIds()),
  );
}

/** `POST /api/exec-gateway/revoke-turn`: the turn's tokens are good no more, and its bridges end. */
export async function revokeTurn(
  { revocations, liveTurns }: Services,
  { req }: RequestContext,
): Promise<Response> {
  const body = await readJsonObject(req);
  const turnId = body.turn_id;
  if (turnId === undefined) throw new HttpError(400, "turn_id is required");
  // Whatever a token may carry can be revoked.
  if (!isTurnId(turnId)) {
    throw new HttpError(400, "turn_id must be a text of 1 to 1024 characters");
  }
  const exp = body.exp ?? Math.floor(Date.now() / 1000) + DEFAULT_REVOCATION_S;
  if (!Number.isSafeInteger(exp)) throw new HttpError(400, "exp must be whole unix seconds");
  const kept = revocations.revoke(turnId, exp as number);
  const ended = liveTurns.end(turnId, TURN_REVOKED);
  log.info("turn revoked", { turn_id: turnId, exp, bridges_ended: ended });
  await kept;
  return noContent();
}
