import type { ExecutorLink } from "../switchboard/executor_link.ts";
import { HttpError } from "./http.ts";

/**
 * Refuses a turn whose handshakes have failed too often on the executor's present connection.
 *
 * @throws {HttpError} 429
 */
export function requireAdmission(link: ExecutorLink, turnId: string): void {
  if (!link.admits(turnId)) {
    throw new HttpError(429, `too many handshakes of this turn have failed on ${link.exeId}`);
  }
}
