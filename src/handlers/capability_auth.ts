import {
  CapabilityTokenError,
  type CapPayload,
  verifyCapabilityToken,
} from "../auth/capability_token.ts";
import type { Services } from "../services.ts";
import { HttpError, unauthorized } from "./http.ts";

/**
 * What a capability token allows, when it allows this executor.
 *
 * @param token the credential, if there was one
 * @throws {HttpError} in the order of protocol.md section 1: 401 no token, malformed, bad signature or
 * expired; 403 another executor's; 401 its turn was revoked
 */
export async function requireCapability(
  services: Services,
  token: string | undefined,
  exeId: string,
): Promise<CapPayload> {
  if (token === undefined) throw unauthorized("missing capability token");
  const cap = await verifyCapability(services, token);
  if (!cap.allowsExeId(exeId) && !await allowsByWorkspace(services, cap, exeId)) {
    throw new HttpError(403, `the capability token does not allow executor ${exeId}`);
  }
  await refuseRevoked(services, cap.turn_id);
  return cap;
}

/**
 * What a capability token says.
 *
 * @throws {HttpError} 401 when it is malformed, not signed with this gateway's secret, or expired
 */
export async function verifyCapability(
  { config: { capTokenHmacSecret, maxTokenTtlS } }: Services,
  token: string,
): Promise<CapPayload> {
  try {
    return await verifyCapabilityToken(token, capTokenHmacSecret, undefined, maxTokenTtlS);
  } catch (error) {
    if (error instanceof CapabilityTokenError) throw unauthorized(error.message);
    throw error;
  }
}

/** Whether a token that names no executor stands for its workspace's, and this is one of them now. */
async function allowsByWorkspace(
  { config, store }: Services,
  { exe_ids, workspace_id }: CapPayload,
  exeId: string,
): Promise<boolean> {
  if (!config.workspaceTokens || exe_ids.length > 0 || workspace_id === "") return false;
  return await store.isExecutorBound(workspace_id, exeId);
}

/** @throws {HttpError} 401 when the turn was revoked */
export async function refuseRevoked({ revocations }: Services, turnId: string): Promise<void> {
  if (await revocations.isRevoked(turnId)) throw turnRevoked();
}

/** The refusal of a revoked turn. */
export function turnRevoked(): HttpError {
  return unauthorized("the turn was revoked");
}
