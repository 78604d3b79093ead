// @ts-check
/**
 * The gateway as this machine reaches it: its URL taken apart, and a connection to it.
 *
 * These files are plain JavaScript on purpose: they run in Deno as a part of this program, and under
 * any Node from 18 on out of a join file, on a machine that has nothing but npm.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import net from "node:net";
import tls from "node:tls";

/**
 * How long a connection may take to come up, in milliseconds: less than the 10 s that codex from 0.160
 * on gives a register call.
 */
const DIAL_TIMEOUT_MS = 5_000;

/** How soon the kernel asks after a peer that is silent, in milliseconds. */
const KEEP_ALIVE_MS = 30_000;

/** What cannot be started with, in one line: exit code 1. */
export class JoinError extends Error {
  /** @override */
  name = "JoinError";
}

/**
 * A gateway to pass on to.
 *
 * @typedef {object} Gateway
 * @property {string} url as a person gave it, without a slash at its end
 * @property {boolean} secure whether it is https
 * @property {string} host a name or an address, without brackets: what its certificate has to be for
 * @property {string} [dialHost] what to connect to in place of that
 * @property {number} port
 * @property {string} authority the Host header: the host, and the port where it is not the usual one
 * @property {string} basePath what stands before every path, or nothing
 * @property {string} [caFile] where the authorities came from
 * @property {import("node:tls").SecureContext} [authorities] who may have signed its certificate: those
 *   of that file and nobody else; without a file those that the runtime knows
 */

/**
 * @param {string} text an http:// or https:// URL
 * @param {string} [caFile] a PEM file
 * @returns {Gateway}
 * @throws {JoinError} when the URL is none, or the file holds no certificate
 */
export function gatewayAt(text, caFile) {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const fits = url !== undefined && /^https?:$/.test(url.protocol) && url.hostname !== "" &&
    url.username === "" && url.password === "" && url.search === "" && url.hash === "";
  if (!fits) {
    throw new JoinError(
      "--gateway must be an http:// or https:// URL without credentials, query or fragment",
    );
  }
  const secure = url.protocol === "https:";
  const basePath = url.pathname.replace(/\/+$/, "");
  return {
    url: url.origin + basePath,
    secure,
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: Number(url.port) || (secure ? 443 : 80),
    authority: url.host,
    basePath,
    ...(caFile !== undefined && { caFile, authorities: readAuthorities(caFile) }),
  };
}

/**
 * Connects, and waits until the TLS handshake is done where there is one. A small frame is not held
 * back for a larger one (TCP_NODELAY).
 *
 * @param {Gateway} gateway
 * @param {AbortSignal} [signal] gives up
 * @returns {Promise<import("node:net").Socket>}
 * @throws what the socket failed with
 */
export function dial(gateway, signal) {
  return open(gateway, signal, {});
}

/**
 * The certificate that the gateway shows, whatever it is worth; nothing is sent to it.
 *
 * @param {Gateway} gateway
 * @returns {Promise<import("node:tls").PeerCertificate>}
 */
export async function certificateOf(gateway) {
  const socket = /** @type {import("node:tls").TLSSocket} */ (await open(gateway, undefined, {
    rejectUnauthorized: false,
  }));
  try {
    return socket.getPeerCertificate();
  } finally {
    socket.destroy();
  }
}

/**
 * @param {Gateway} gateway
 * @param {AbortSignal | undefined} signal
 * @param {import("node:tls").ConnectionOptions} options
 * @returns {Promise<import("node:net").Socket>}
 */
function open({ secure, host, dialHost = host, port, authorities }, signal, options) {
  return new Promise((resolve, reject) => {
    const socket = secure
      ? tls.connect({
        host: dialHost,
        port,
        secureContext: authorities,
        // An address is no server name, says RFC 6066; it is compared with the certificate all the same.
        servername: net.isIP(host) === 0 ? host : "",
        ALPNProtocols: ["http/1.1"],
        ...options,
      })
      : net.connect({ host: dialHost, port });
    /** @param {Error} error */
    const fail = (error) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", giveUp);
      socket.destroy();
      reject(error);
    };
    const giveUp = () => fail(new Error("given up"));
    const timer = setTimeout(
      () => fail(Object.assign(new Error("timed out"), { code: "ETIMEDOUT" })),
      DIAL_TIMEOUT_MS,
    );
    // Also for what comes after: an error that nobody hears would end the process.
    socket.on("error", fail);
    socket.once("close", () => fail(Object.assign(new Error("closed"), { code: "ECONNRESET" })));
    socket.once(secure ? "secureConnect" : "connect", () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", giveUp);
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
      resolve(socket);
    });
    signal?.addEventListener("abort", giveUp);
    if (signal?.aborted) giveUp();
  });
}

/**
 * Made once: to read all of them takes milliseconds.
 *
 * @param {string} file
 */
function readAuthorities(file) {
  let text;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new JoinError(
      `cannot read the CA file ${file}: ${error instanceof Error ? error.message : error}`,
    );
  }
  if (!text.includes("-----BEGIN CERTIFICATE-----")) {
    throw new JoinError(`the CA file ${file} holds no certificate (PEM)`);
  }
  return tls.createSecureContext({ ca: text });
}
