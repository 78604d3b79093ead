// @ts-check
/**
 * A websocket, passed on as bytes: neither side's frames are looked at, and whoever does not read holds
 * the other back, as TCP does.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { hostFor } from "./call.js";
import { explain } from "./failure.js";
import { dial } from "./gateway.js";

/** How long what is left may take to be read once the other side has closed, in milliseconds. */
const LINGER_MS = 10_000;

/**
 * @typedef {import("node:net").Socket} Socket
 */

/**
 * Joins a websocket request to the gateway.
 *
 * @param {import("./gateway.js").Gateway} gateway
 * @param {import("node:http").IncomingMessage} request
 * @param {Socket} near the caller's socket
 * @param {Buffer} head what came after the request already
 * @returns {Promise<Socket>} the gateway's socket
 * @throws {import("./failure.js").Unreachable}
 */
export async function pipeWebSocket(gateway, request, near, head) {
  const gone = new AbortController();
  const leave = () => gone.abort();
  near.once("close", leave);
  let far;
  try {
    far = await dial(gateway, gone.signal);
  } catch (error) {
    throw await explain(gateway, error);
  } finally {
    near.off("close", leave);
  }
  near.setNoDelay(true);
  far.write(requestHead(gateway, request));
  if (head.length > 0) far.write(head);
  endWith(near, far);
  endWith(far, near);
  near.pipe(far);
  far.pipe(near);
  return far;
}

/**
 * The request as it came, but for the host.
 *
 * @param {import("./gateway.js").Gateway} gateway
 * @param {import("node:http").IncomingMessage} request
 */
function requestHead(gateway, { method, url, headers, rawHeaders }) {
  const lines = [
    `${method} ${gateway.basePath}${url} HTTP/1.1`,
    `Host: ${hostFor(gateway, headers)}`,
  ];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() !== "host") {
      lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`);
    }
  }
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

/**
 * An end is passed on by `pipe` behind the data. When one side is gone, the other may read what is left
 * for a while; an error ends both.
 *
 * @param {Socket} one
 * @param {Socket} other
 */
function endWith(one, other) {
  one.on("error", () => one.destroy());
  one.once("close", (hadError) => {
    if (hadError) return other.destroy();
    other.end();
    const timer = setTimeout(() => other.destroy(), LINGER_MS);
    other.once("close", () => clearTimeout(timer));
  });
}
