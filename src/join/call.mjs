// @ts-check
/**
 * One HTTP call, passed on over a connection of its own.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import http from "node:http";
import { away, explain, wrong } from "./failure.mjs";
import { dial } from "./gateway.mjs";

/** The longest body that is passed on, in bytes: more than the gateway takes. */
const MAX_BODY_BYTES = 256 * 1024;

/** The largest answer, in bytes: the listing of a workspace with thousands of executors. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** How long an answer may take, in milliseconds; `connect` is held for 5.5 s. */
const ANSWER_TIMEOUT_MS = 60_000;

/** What concerns one connection only, or is made anew here. */
const OWN_HEADERS = new Set([
  "accept-encoding",
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/**
 * @typedef {import("./gateway.mjs").Gateway} Gateway
 * @typedef {object} Answer
 * @property {number} status
 * @property {[string, string][]} headers
 * @property {Buffer} body
 */

/**
 * The body of a call.
 *
 * @param {import("node:http").IncomingMessage} request
 * @returns {Promise<Buffer | undefined>} nothing when it is too large
 */
export function bodyOf(request) {
  return collect(request, MAX_BODY_BYTES);
}

/**
 * Calls the gateway.
 *
 * @param {Gateway} gateway
 * @param {object} call
 * @param {string} call.method
 * @param {string} call.path
 * @param {[string, string][]} call.headers
 * @param {Buffer} call.body
 * @param {string} [call.host] the Host header; the gateway's by default
 * @param {AbortSignal} [signal] gives up
 * @returns {Promise<Answer>}
 * @throws {import("./failure.mjs").Unreachable}
 */
export async function callGateway(gateway, call, signal) {
  let socket;
  try {
    socket = await dial(gateway, signal);
  } catch (error) {
    throw await explain(gateway, error);
  }
  const giveUp = () => socket.destroy();
  signal?.addEventListener("abort", giveUp);
  try {
    return await exchange(gateway, socket, call);
  } catch (error) {
    throw await explain(gateway, error);
  } finally {
    signal?.removeEventListener("abort", giveUp);
    socket.destroy();
  }
}

/**
 * Asks whether a codex-exec-gateway answers there, by the one thing that every release's register call
 * needs: what is answered 405 without a credential, in the shape that codex reads.
 *
 * @param {Gateway} gateway
 * @param {AbortSignal} [signal]
 * @throws {import("./failure.mjs").Unreachable}
 */
export async function probe(gateway, signal) {
  const path = `${gateway.basePath}/cloud/environment/-/register`;
  const { status, body } = await callGateway(gateway, {
    method: "GET",
    path,
    headers: [],
    body: Buffer.alloc(0),
  }, signal);
  if (isAway(status)) throw away(awayText(gateway, status));
  if (status === 405 && hasErrorCode(body)) return;
  throw wrong(
    `${gateway.url} answers, but not as a codex-exec-gateway does (GET ${path} got ${status})`,
  );
}

/**
 * Whether an answer is a gateway's that stops or starts, or a proxy's before a gateway that is away.
 *
 * @param {number} status
 */
export function isAway(status) {
  return status === 502 || status === 503 || status === 504;
}

/**
 * @param {Gateway} gateway
 * @param {number} status
 */
export function awayText(gateway, status) {
  return `${gateway.url} answers ${status}: the gateway is stopping, starting, or not behind its proxy`;
}

/**
 * The headers of a message that go on, in their order.
 *
 * @param {string[]} raw names and values in turn, as `rawHeaders` has them
 * @returns {[string, string][]}
 */
export function headersToPass(raw) {
  /** @type {[string, string][]} */
  const headers = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const [name, value] = /** @type {[string, string]} */ ([raw[at], raw[at + 1]]);
    if (!OWN_HEADERS.has(name.toLowerCase())) headers.push([name, value]);
  }
  return headers;
}

/**
 * The Host header of a request on its way to the gateway. It is the gateway's, by which a proxy may tell
 * which site is meant; but a direct executor has signed the one that it sent.
 *
 * @param {Gateway} gateway
 * @param {import("node:http").IncomingHttpHeaders} headers
 */
export function hostFor({ authority }, { host, authorization }) {
  return authorization?.startsWith("AWS4-") ? host ?? authority : authority;
}

/**
 * @param {Gateway} gateway
 * @param {import("node:net").Socket} socket
 * @param {Parameters<typeof callGateway>[1]} call
 * @returns {Promise<Answer>}
 */
function exchange(gateway, socket, { method, path, headers, body, host = gateway.authority }) {
  return new Promise((resolve, reject) => {
    socket.setTimeout(
      ANSWER_TIMEOUT_MS,
      () => reject(Object.assign(new Error("timed out"), { code: "ETIMEDOUT" })),
    );
    const request = http.request({
      createConnection: () => socket,
      method,
      path,
      headers: {
        ...asObject(headers),
        host,
        connection: "close",
        "content-length": body.length,
      },
    }, async (response) => {
      try {
        const answer = await collect(response, MAX_ANSWER_BYTES);
        if (answer === undefined) throw new Error("the answer is too large");
        resolve({
          status: response.statusCode ?? 502,
          headers: headersToPass(response.rawHeaders),
          body: answer,
        });
      } catch (error) {
        reject(error);
      }
    });
    request.on("error", reject);
    request.end(body);
  });
}

/**
 * @param {[string, string][]} headers
 * @returns {Record<string, string[]>}
 */
function asObject(headers) {
  /** @type {Record<string, string[]>} */
  const object = {};
  for (const [name, value] of headers) (object[name.toLowerCase()] ??= []).push(value);
  return object;
}

/**
 * @param {AsyncIterable<Buffer>} stream
 * @param {number} limit
 * @returns {Promise<Buffer | undefined>}
 */
async function collect(stream, limit) {
  const parts = [];
  let length = 0;
  for await (const part of stream) {
    length += part.length;
    if (length > limit) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/**
 * Whether a refusal is a gateway's, in the shape that codex reads.
 *
 * @param {Buffer} body
 */
export function hasErrorCode(body) {
  try {
    return typeof JSON.parse(body.toString()).error.code === "string";
  } catch {
    return false;
  }
}
