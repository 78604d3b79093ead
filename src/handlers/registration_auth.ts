import { isDigestOf, isRandomToken, tokenDigest } from "../auth/token_digest.ts";
import { log } from "../log/logging.ts";
import type { Services } from "../services.ts";
import { bearerToken, HttpError, type RequestContext, unauthorized } from "../http/context.ts";

/**
 * Lets an executor's call under `/cloud` pass when it carries the executor's registration token.
 *
 * @returns the token's bcrypt hash
 * @throws {HttpError} 401
 * @throws what {@linkcode checkRegistrationToken} throws
 */
export async function requireRegistrationToken(
  services: Services,
  context: RequestContext,
  exeId: string,
): Promise<string> {
  const token = bearerToken(context.req);
  if (token === undefined) throw tokenMissing();
  return await checkRegistrationToken(services, context, exeId, [token], registrationRefused);
}

/**
 * Judges whether one of the tokens is the executor's registration token: by its digest, right or wrong, where
 * it has one. For an executor that does not exist the answer is no, after the same work. Only where a row is
 * older than digests does bcrypt judge, and after the first yes the row has a digest too.
 *
 * Wrong tokens are limited. A right one is let in however many wrong ones came before it, from
 * wherever; but where it takes bcrypt to tell, nothing is checked from a source that is over its limit.
 *
 * @param tokens what the request carries, of which one may be somebody else's; all wrong, they count once
 * @param refused makes the refusal of a wrong one
 * @returns the bcrypt hash that it goes with; what else comes of it goes with that too
 * @throws what `refused` makes
 * @throws {HttpError} 429 for a wrong token, after too many
 * @throws {BusyError} when too many tokens are being checked by bcrypt
 */
export async function checkRegistrationToken(
  services: Services,
  { source }: Pick<RequestContext, "source">,
  exeId: string,
  tokens: readonly string[],
  refused: () => HttpError,
): Promise<string> {
  const { store, wrongTokens } = services;
  const executor = await store.getRegistrationTokenDigest(exeId);
  if (executor === undefined || executor.digest !== undefined) {
    const areRight = tokens.map((token) => isDigestOf(token, executor?.digest));
    if (areRight.includes(true)) return executor!.hash;
  } else {
    refuseAfter(wrongTokens.retryAfter(exeId, source));
    const { hash } = executor;
    for (const token of tokens) {
      if (await isByBcrypt(services, source, exeId, token, hash)) return hash;
    }
  }
  refuseAfter(wrongTokens.count(exeId, source));
  // Told apart where only the operator reads it.
  throw refused().because(
    executor === undefined ? "unknown_executor" : "wrong_registration_token",
  );
}

async function isByBcrypt(
  { store, registrationTokens }: Services,
  source: string,
  exeId: string,
  token: string,
  hash: string,
): Promise<boolean> {
  if (!await registrationTokens.verify(token, hash, { exeId, source })) return false;
  if (isRandomToken(token)) {
    try {
      await store.addRegistrationTokenDigest(exeId, hash, tokenDigest(token));
    } catch (error) {
      // The next check will do it.
      log.warn("could not keep a token's digest", { exe_id: exeId, error: `${error}` });
    }
  }
  return true;
}

/**
 * Refuses when there is a time to stay away.
 *
 * @param seconds 0 when there is none
 * @throws {HttpError} 429
 */
export function refuseAfter(seconds: number, what = "registration tokens"): void {
  if (seconds === 0) return;
  throw new HttpError(
    429,
    `too many wrong ${what}; wait ${seconds} s, and start codex exec-server with what ` +
      "`executor add` printed",
    { "retry-after": String(seconds) },
  ).because("too_many_wrong_tokens");
}

function tokenMissing(): HttpError {
  return unauthorized(
    "missing registration token; start codex exec-server with the line that `executor add` printed",
    "missing_signature",
  ).because("registration_token_missing");
}

/** One answer for an executor that does not exist and for a token that is not its own. */
export function registrationRefused(): HttpError {
  return unauthorized(
    "unknown executor or wrong registration token; start codex exec-server with the id and the token " +
      "that `executor add` printed, or add the executor anew",
    "invalid_secret",
  );
}
