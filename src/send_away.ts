import { log } from "./log/logging.ts";
import { GATEWAY_STOPPING } from "./switchboard/close_codes.ts";
import type { OpenSockets } from "./switchboard/open_sockets.ts";
import { sleep, within } from "./time/within.ts";

/**
 * When the port may close, in milliseconds after the peers were told to dial again. A call whose connection
 * is accepted and then cut costs codex its command, one that is answered 503 or refused is made again. Calls
 * come after 0, 0.7, 2.1 and 4.5 s from a harness and after 0.5, 1.9 and 5.5 s from an executor (measured;
 * protocol.md section 6): the port closes in between, when the last peer has gone or at the last of these.
 */
const PORT_CLOSES_AFTER_MS: readonly number[] = [400, 1_300, 3_500];

/**
 * Closes every websocket with 1012, and resolves when the port may close: calls that come meanwhile are
 * answered, by a gateway that joins nobody any more. Where nobody had to be told, that is at once.
 *
 * @param portClosesAfterMs when it may close if the last peer has gone by then, in milliseconds; at the
 * last of these it may in any case
 */
export async function sendAway(
  sockets: Pick<OpenSockets, "size" | "closeAll">,
  portClosesAfterMs: readonly number[] = PORT_CLOSES_AFTER_MS,
): Promise<void> {
  const toldAt = performance.now();
  const told = sockets.size;
  const gone = sockets.closeAll(GATEWAY_STOPPING);
  if (told === 0) return;
  for (const ms of portClosesAfterMs) {
    await sleep(Math.max(0, toldAt + ms - performance.now()));
    if (await within(0, gone)) return;
  }
  log.warn("stopping without waiting longer", {
    reason: "peers did not close",
    left: sockets.size,
  });
}
