// @ts-check
/**
 * The listener on this machine's loopback: everything that comes is passed on to the gateway.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import http from "node:http";
import {
  awayText,
  bodyOf,
  callGateway,
  hasErrorCode,
  headersToPass,
  hostFor,
  isAway,
} from "./call.mjs";
import { kindOf, register, withLoopbackUrl } from "./codex_call.mjs";
import { Unreachable } from "./failure.mjs";
import { JoinError } from "./gateway.mjs";
import { pipeWebSocket } from "./pipe.mjs";
import { Reachability } from "./reachability.mjs";

/** As large a request head as the gateway takes, in bytes. */
const MAX_HEAD_BYTES = 64 * 1024;

/** How long a request may take to be whole, in milliseconds. */
const REQUEST_TIMEOUT_MS = 30_000;

/** Names of this machine: a page of a browser that was led here by its own name has another Host. */
const LOOPBACK_HOST = /^(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?$/i;

/**
 * @typedef {import("./gateway.mjs").Gateway} Gateway
 * @typedef {{ port: number, stop: () => Promise<void> }} Join
 */

/**
 * Listens on 127.0.0.1.
 *
 * @param {Gateway} gateway
 * @param {object} options
 * @param {number} options.port 0 lets the system choose
 * @param {(line: string) => void} options.say told when the gateway is away, and when it is back
 * @param {{ noiseMs: number, otherMs: number }} [options.holdMs] how long register calls wait for it
 * @returns {Promise<Join>}
 * @throws {JoinError} when the port is taken
 */
export async function startJoin(gateway, { port, say, holdMs }) {
  const reachability = new Reachability(gateway.url, say);
  /** @type {Set<import("node:net").Socket>} */
  const sockets = new Set();
  const server = http.createServer({ maxHeaderSize: MAX_HEAD_BYTES });
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
  });
  server.on("request", async (request, response) => {
    const refused = refusalOf(request);
    const { status, headers, body } = refused ?? await answer(request, response);
    response.writeHead(status, [
      ...headers.flat(),
      ...["content-length", String(body.length), "connection", "close"],
    ]);
    response.end(body);
  });
  server.on("upgrade", async (request, near, head) => {
    const socket = /** @type {import("node:net").Socket} */ (near);
    const refused = refusalOf(request);
    if (refused !== undefined) return socket.end(asText(refused));
    try {
      const far = await pipeWebSocket(gateway, request, socket, head, heard);
      sockets.add(far);
      far.once("close", () => sockets.delete(far));
    } catch (error) {
      socket.end(asText(unreachable(error)));
    }
  });
  await listen(server, port);
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    port: address.port,
    stop() {
      const stopped = new Promise((resolve) => server.close(() => resolve(undefined)));
      for (const socket of sockets) socket.destroy();
      return /** @type {Promise<void>} */ (stopped);
    },
  };

  /**
   * @param {import("node:http").IncomingMessage} request
   * @param {import("node:http").ServerResponse} response
   */
  async function answer(request, response) {
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const path = request.url ?? "/";
    const method = request.method ?? "GET";
    try {
      const body = await bodyOf(request);
      if (body === undefined) return refusal(413, "payload_too_large", "the body is too large");
      const kind = kindOf(method, path);
      const call = {
        method,
        path: gateway.basePath + path,
        headers: headersToPass(request.rawHeaders),
        body,
        host: hostFor(gateway, request.headers),
      };
      const answer = kind === "register"
        ? await register(gateway, call, gone.signal, (it) => reachability.failed(it), holdMs)
        : await callGateway(gateway, call, gone.signal);
      // A gateway refuses with 503 too, as when an executor is not connected.
      heard(isAway(answer.status) && !hasErrorCode(answer.body) ? answer.status : 200);
      return kind === "other" ? answer : withLoopbackUrl(answer, request.headers.host ?? "");
    } catch (error) {
      return unreachable(error, gone.signal.aborted);
    }
  }

  /**
   * What was answered shows whether the gateway is there, or a proxy alone.
   *
   * @param {number} status
   */
  function heard(status) {
    if (isAway(status)) reachability.failed(awayText(gateway, status));
    else reachability.reached();
  }

  /**
   * @param {unknown} error
   * @param {boolean} [hasGone] whether it failed because the caller left
   */
  function unreachable(error, hasGone = false) {
    const problem = error instanceof Error ? error.message : String(error);
    if (error instanceof Unreachable && !hasGone) reachability.failed(problem);
    return error instanceof Unreachable && error.lasts
      ? refusal(502, "bad_gateway", problem)
      : refusal(503, "unavailable", problem);
  }
}

/**
 * Why a request is not passed on: it comes from elsewhere, or does not know where it is.
 *
 * @param {import("node:http").IncomingMessage} request
 */
function refusalOf({ headers, socket, url }) {
  const isLocal = /^(?:::ffff:)?127\.|^::1$/.test(socket.remoteAddress ?? "");
  if (!isLocal || !LOOPBACK_HOST.test(headers.host ?? "")) {
    return refusal(403, "forbidden", "join serves codex on its own machine, by http://127.0.0.1");
  }
  if (!url?.startsWith("/")) return refusal(400, "bad_request", "a path has to begin with /");
  return undefined;
}

/**
 * A refusal in the shape that codex prints to its user.
 *
 * @param {number} status
 * @param {string} code
 * @param {string} message
 * @returns {import("./call.mjs").Answer}
 */
function refusal(status, code, message) {
  return {
    status,
    headers: [["content-type", "application/json"]],
    body: Buffer.from(JSON.stringify({ error: { code, message: message.slice(0, 300) } })),
  };
}

/** @param {import("./call.mjs").Answer} answer */
function asText({ status, headers, body }) {
  const lines = [
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    `content-length: ${body.length}`,
    "connection: close",
  ];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

/**
 * @param {import("node:http").Server} server
 * @param {number} port
 */
function listen(server, port) {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      const { code } = /** @type {{ code?: string }} */ (error);
      reject(
        new JoinError(
          code === "EADDRINUSE"
            ? `port ${port} is in use on this machine: give another one with --port (0: any)`
            : `cannot listen on 127.0.0.1:${port}: ${error.message}`,
        ),
      );
    });
    server.listen(port, "127.0.0.1", () => resolve(undefined));
  });
}
