/** From a request to an open websocket, and the refusals of one that is no handshake. */

import type { Services } from "../services.ts";
import { INTERNAL_ERROR } from "../switchboard/close_codes.ts";
import type { PeerSocket } from "../switchboard/peer_socket.ts";
import { log } from "../log/logging.ts";
import { HttpError, type RequestContext } from "./context.ts";

/** How long an upgrade may take to become an open websocket, in milliseconds. */
export const OPEN_TIMEOUT_MS = 10_000;

/**
 * Refuses a request that is not a websocket handshake (RFC 6455 section 4.2.1).
 *
 * @throws {HttpError} 426
 */
export function requireWebSocket(req: Request): void {
  const has = (name: string, token: string) => listOf(req, name).includes(token);
  const fits = req.method === "GET" && has("upgrade", "websocket") &&
    has("connection", "upgrade") &&
    req.headers.has("sec-websocket-key") && req.headers.get("sec-websocket-version") === "13";
  if (!fits) {
    throw new HttpError(426, "this endpoint speaks websocket, version 13; open it as one", {
      "upgrade": "websocket",
      "connection": "Upgrade",
      "sec-websocket-version": "13",
    });
  }
}

/** A header's list, in lower case. Blanks and tabs around its members count for nothing (RFC 9110 section 5.6.1). */
function listOf({ headers }: Request, name: string): string[] {
  const members = (headers.get(name) ?? "").toLowerCase().split(",");
  return members.map((member) => member.replace(/^[ \t]+|[ \t]+$/g, ""));
}

/**
 * Refuses a request whose client has gone. It is noticed only where {@linkcode watchClient} was called before
 * anything was waited for.
 *
 * @throws {HttpError} 499
 */
export function requireClient(req: Request): void {
  if (req.signal.aborted) throw new HttpError(499, "the client has gone; try again");
}

/** Has the runtime notice when the client goes: it looks for that only once the signal was asked for. */
export function watchClient(req: Request): void {
  void req.signal;
}

/**
 * Answers 101. Call {@linkcode requireWebSocket} first, and do nothing after: once upgraded, the
 * runtime ends the process unless this very response is returned.
 *
 * @throws {HttpError} 499 when the client has gone meanwhile
 * @param owner whose the websocket is: what it leaves behind counts against it
 * @param wire sets the websocket's handlers up
 */
export function upgrade(
  { config, openSockets, connections }: Services,
  { req, source }: Pick<RequestContext, "req" | "source">,
  owner: string,
  wire: (peer: PeerSocket) => void,
): Response {
  // Upgraded for a client that has gone, the runtime (Deno 2.9.6) keeps its connection for ever.
  requireClient(req);
  // The runtime pings after half of it, and gives the pong the other half.
  const idleTimeout = 2 * config.pingIntervalS;
  const { socket, response } = Deno.upgradeWebSocket(req, { idleTimeout });
  // The request, which was counted, ends when it is answered.
  connections.add(source);
  whenGone(socket, () => connections.release(source));
  const peer = openSockets.add(socket, owner);
  try {
    wire(peer);
  } catch (error) {
    log.error("a websocket could not be set up", { error: `${error}` });
    peer.close(INTERNAL_ERROR);
  }
  return response;
}

/** Calls back once: when the websocket has closed, or has not opened in time. */
function whenGone(socket: WebSocket, callback: () => void): void {
  const gone = () => {
    clearTimeout(timer);
    socket.removeEventListener("close", gone);
    callback();
  };
  // A client that goes before the answer reaches it causes no event at all.
  const timer = setTimeout(gone, OPEN_TIMEOUT_MS);
  socket.addEventListener("open", () => clearTimeout(timer), { once: true });
  socket.addEventListener("close", gone);
}
