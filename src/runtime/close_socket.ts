import type { Ending } from "../switchboard/close_codes.ts";
import { type Fields, ownField } from "./insides.ts";

/** How long a peer that has read all of it may go on sending before it answers a close frame, in milliseconds. */
const LINGER_MS = 5_000;

/** The runtime's number for the role of a client. */
const CLIENT_ROLE = 1;

/**
 * Closes a websocket with a reason, in whichever state it is: one that is still opening is closed
 * as soon as it is open, one that is closing or closed is left alone.
 *
 * @param readingMs how long the peer may need for what comes before the close frame, in milliseconds
 */
export function closeSocket(socket: WebSocket, ending: Ending, readingMs = 0): void {
  if (socket.readyState === WebSocket.OPEN) {
    socket.close(ending.code, ending.reason);
    linger(socket, readingMs + LINGER_MS);
  } else if (socket.readyState === WebSocket.CONNECTING) {
    socket.addEventListener("open", () => closeSocket(socket, ending), { once: true });
  }
}

/**
 * Lets the close frame reach a peer that is in the middle of sending.
 *
 * Deno 2.9.6 cuts the connection of a *server's* websocket at the first frame that comes after its
 * `close()`, instead of waiting for the peer's close frame. The kernel then answers what still comes
 * with a reset, and the peer loses the close frame and whatever was sent just before it: of a hundred
 * that were sending, none read its code. As a client's, the same websocket waits; that is said in a
 * private field, and a runtime without it behaves as it did. After a while it is a server's again, so
 * that a peer that ignores the close frame is cut.
 */
function linger(socket: WebSocket, ms: number): void {
  const role = ownField(socket, "[[role]]");
  if (role === undefined) return;
  const fields = socket as unknown as Fields;
  const server = fields[role];
  fields[role] = CLIENT_ROLE;
  const timer = setTimeout(() => fields[role] = server, ms);
  Deno.unrefTimer(timer);
  socket.addEventListener("close", () => clearTimeout(timer), { once: true });
}
