import { HttpError } from "./context.ts";
import type { RefusalReason } from "./refusal_reason.ts";

/** What is said of a credential that is somebody else's: any other refusal tells its sender more. */
const FOREIGN: ReadonlySet<RefusalReason> = new Set<RefusalReason>([
  "token_malformed",
  "unknown_executor",
  "wrong_registration_token",
  "wrong_ticket",
  "wrong_token_signature",
]);

/**
 * Judges a request that may carry credentials in two places by the good one.
 *
 * @param judges one for each credential, at least one; each answers what its credential stands for
 * @returns the answer of the first that does not refuse
 * @throws {HttpError} when all refuse: the refusal of the first that is of this gateway, else of the first
 * @throws what is no refusal, at once: the store's being away says nothing of a credential
 */
export async function firstGood<T>(judges: readonly (() => T | Promise<T>)[]): Promise<T> {
  let refusal: HttpError | undefined;
  for (const judge of judges) {
    try {
      return await judge();
    } catch (error) {
      if (!(error instanceof HttpError) || error.status >= 500) throw error;
      if (refusal === undefined || FOREIGN.has(refusal.reason) && !FOREIGN.has(error.reason)) {
        refusal = error;
      }
    }
  }
  throw refusal;
}
