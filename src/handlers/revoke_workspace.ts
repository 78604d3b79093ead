import { isTurnId } from "../auth/capability_token.ts";
import { log } from "../log/logging.ts";
import type { Services } from "../services.ts";
import { WORKSPACE_REVOKED } from "../switchboard/close_codes.ts";
import { readFields } from "../http/body.ts";
import {
  HttpError,
  noContent,
  prefersRepresentation,
  type RequestContext,
} from "../http/context.ts";

/**
 * `POST /api/exec-gateway/revoke-workspace`: of the workspace's tokens, those that were issued until now are
 * good no more, and the bridges that were opened with them end, at every process. What is issued later is
 * good. Answers 204; with `Prefer: return=representation` (RFC 7240) what was done.
 */
export async function revokeWorkspace(
  { revokedWorkspaces, switchboard }: Services,
  { req }: RequestContext,
): Promise<Response> {
  const { workspace_id } = await readFields(req, ["workspace_id"]);
  if (workspace_id === undefined) throw new HttpError(400, "workspace_id is required");
  // Whatever a token may carry and the store can keep.
  if (!isTurnId(workspace_id)) {
    throw new HttpError(400, "workspace_id must be a text of 1 to 1024 characters");
  }
  const kept = revokedWorkspaces.revoke(workspace_id);
  const isRevoked = (issuedAt: number) => revokedWorkspaces.isRevoked(workspace_id, issuedAt);
  const ended = switchboard.endWorkspace(
    workspace_id,
    isRevoked,
    WORKSPACE_REVOKED,
    (bridges) => log.info("workspace revoked", { workspace_id, bridges }),
  );
  const { issued_until, exp } = await kept;
  if (!prefersRepresentation(req)) return noContent();
  return Response.json({ workspace_id, issued_until, revoked_until: exp, bridges_ended: ended });
}
