import type { Services } from "../services.ts";
import { TOO_MANY_HANDSHAKES } from "../switchboard/close_codes.ts";
import type { ExecutorLink, Holder } from "../switchboard/executor_link.ts";
import { MAX_TURN_BRIDGES } from "../switchboard/switchboard.ts";
import { HttpError } from "../http/context.ts";
import { executorLabel } from "../http/wording.ts";

/** As whose a harness's websocket counts. */
export function turnOwner(turnId: string): string {
  return `turn ${turnId}`;
}

/** A turn has as many bridges to the executor as it may. */
export function tooManyBridges(exeId: string): HttpError {
  return new HttpError(
    429,
    `this turn has ${MAX_TURN_BRIDGES} bridges to ${
      executorLabel(exeId)
    }; end codex processes of the ` +
      "turn that it needs no more, or begin a new turn",
  ).because("too_many_bridges");
}

/**
 * Refuses a turn that has its share of bridges to the executor, or whose handshakes, or whose workspace's, have failed too often on the executor's present
 * connection, or whose harnesses have too often stopped reading.
 *
 * @throws {HttpError} 429
 */
export function requireAdmission(
  { openSockets, switchboard }: Services,
  link: ExecutorLink,
  holder: Holder,
): void {
  const label = executorLabel(link.exeId);
  const refusal = link.refusal(holder);
  if (refusal === TOO_MANY_HANDSHAKES) {
    throw new HttpError(
      429,
      `too many handshakes of this turn have failed on ${label}; begin a new turn, or start ` +
        "`codex exec-server` there again",
    ).because("handshakes_failed");
  }
  if (refusal !== undefined) {
    throw new HttpError(
      429,
      `too many handshakes of this workspace have failed on ${label}; start codex exec-server there ` +
        "again, or wait an hour",
    ).because("workspace_handshakes_failed");
  }
  if (!switchboard.mayOpen(holder.turnId, link.exeId)) throw tooManyBridges(link.exeId);
  if (openSockets.isRefused(turnOwner(holder.turnId))) {
    throw new HttpError(
      429,
      "too many connections of this turn have stopped reading; stop their processes, or begin a new " +
        "turn",
    ).because("peers_stopped_reading");
  }
}
