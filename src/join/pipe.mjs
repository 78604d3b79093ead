// @ts-check
/**
 * A websocket, passed on as bytes: neither side's frames are looked at, and whoever does not read holds
 * the other back, as TCP does.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { hostFor } from "./call.mjs";
import { explain } from "./failure.mjs";
import { dial } from "./gateway.mjs";

/** How long what is left may take to be read once the other side has closed, in milliseconds. */
const LINGER_MS = 10_000;

/**
 * @typedef {import("node:net").Socket} Socket
 */

/**
 * Joins a websocket request to the gateway.
 *
 * @param {import("./gateway.mjs").Gateway} gateway
 * @param {import("node:http").IncomingMessage} request
 * @param {Socket} near the caller's socket
 * @param {Buffer} head what came after the request already
 * @param {(status: number) => void} heard told how it was answered, but for 503, which is a gateway's
 *   own, or a proxy's before a gateway that is away
 * @returns {Promise<Socket>} the gateway's socket
 * @throws {import("./failure.mjs").Unreachable}
 */
export async function pipeWebSocket(gateway, request, near, head, heard) {
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
  far.once("data", (/** @type {Buffer} */ first) => {
    const line = first.subarray(0, 16).toString("latin1");
    const status = Number(/^HTTP\/1\.[01] (\d{3}) /.exec(line)?.[1]);
    if (status !== 503) heard(status);
  });
  near.pipe(far);
  far.pipe(near);
  return far;
}

/**
 * The request as it came, but for the host.
 *
 * @param {import("./gateway.mjs").Gateway} gateway
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
