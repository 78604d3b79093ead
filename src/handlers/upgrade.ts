import type { Services } from "../services.ts";
import { closeSocket } from "../switchboard/sockets.ts";
import { log } from "../logging.ts";
import { HttpError } from "./http.ts";

/**
 * Refuses a request that is not a websocket handshake (RFC 6455 section 4.2.1).
 *
 * @throws {HttpError} 426
 */
export function requireWebSocket(req: Request): void {
  const has = (name: string, token: string) =>
    (req.headers.get(name) ?? "").toLowerCase().split(",").some((part) => part.trim() === token);
  const fits = req.method === "GET" && has("upgrade", "websocket") &&
    has("connection", "upgrade") &&
    req.headers.has("sec-websocket-key") && req.headers.get("sec-websocket-version") === "13";
  if (!fits) {
    throw new HttpError(426, "this endpoint speaks websocket, version 13", {
      "upgrade": "websocket",
      "connection": "Upgrade",
      "sec-websocket-version": "13",
    });
  }
}

/**
 * Answers 101. Call {@linkcode requireWebSocket} first, and do nothing after: once upgraded, the
 * runtime ends the process unless this very response is returned.
 *
 * @param wire sets the socket's handlers up
 */
export function upgrade(
  { config, openSockets }: Services,
  req: Request,
  wire: (socket: WebSocket) => void,
): Response {
  // The runtime pings after half of it, and gives the pong the other half.
  const idleTimeout = 2 * config.pingIntervalS;
  const { socket, response } = Deno.upgradeWebSocket(req, { idleTimeout });
  socket.binaryType = "arraybuffer";
  try {
    openSockets.add(socket);
    wire(socket);
  } catch (error) {
    log.error("a websocket could not be set up", { error: `${error}` });
    closeSocket(socket, { code: 1011, reason: "internal error" });
  }
  return response;
}
