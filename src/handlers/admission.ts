import type { Services } from "../services.ts";
import type { ExecutorLink } from "../switchboard/executor_link.ts";
import { HttpError } from "./http.ts";
import { executorLabel } from "./wording.ts";

/** As whose a harness's websocket counts. */
export function turnOwner(turnId: string): string {
  return `turn ${turnId}`;
}

/**
 * Refuses a turn whose handshakes have failed too often on the executor's present connection, or whose
 * harnesses have too often stopped reading.
 *
 * @throws {HttpError} 429
 */
export function requireAdmission(
  { openSockets }: Services,
  link: ExecutorLink,
  turnId: string,
): void {
  if (!link.admits(turnId)) {
    throw new HttpError(
      429,
      `too many handshakes of this turn have failed on ${executorLabel(link.exeId)}; begin a new ` +
        "turn, or start `codex exec-server` there again",
    ).because("handshakes_failed");
  }
  if (openSockets.isRefused(turnOwner(turnId))) {
    throw new HttpError(
      429,
      "too many connections of this turn have stopped reading; stop their processes, or begin a new " +
        "turn",
    ).because("peers_stopped_reading");
  }
}
