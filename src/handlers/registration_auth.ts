import type { Services } from "../services.ts";
import { bearerToken, type HttpError, unauthorized } from "./http.ts";

/**
 * Lets an executor's call under `/cloud` pass when it carries the executor's registration token.
 *
 * @throws {HttpError} 401, the same and after the same work for an executor that does not exist
 * @throws {BusyError} when too many tokens are being checked
 */
export async function requireRegistrationToken(
  { store, registrationTokens }: Services,
  req: Request,
  exeId: string,
): Promise<void> {
  const token = bearerToken(req);
  if (token === undefined) throw unauthorized("missing registration token");
  const hash = await store.getRegistrationTokenHash(exeId);
  if (!await registrationTokens.verify(token, hash)) throw registrationRefused();
}

/** One answer for an executor that does not exist and for a token that is not its own. */
export function registrationRefused(): HttpError {
  return unauthorized("unknown executor or wrong registration token");
}
