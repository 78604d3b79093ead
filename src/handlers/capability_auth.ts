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
  await refuseRevoked(services, cap.turn_id);
  return cap;
}

/** @throws {HttpError} 401 when the turn was revoked */
export async function refuseRevoked({ revocations }: Services, turnId: string): Promise<void> {
  if (await revocations.isRevoked(turnId)) throw turnRevoked();
}

/** The refusal of a revoked turn. */
export function turnRevoked(): HttpError {
  return unauthorized("the turn was revoked");
}
