// @ts-check
/**
 * Why the gateway cannot be reached, in words that say what to do.
 *
 * @module
 */
import { certificateOf } from "./gateway.mjs";

/**
 * @typedef {import("./gateway.mjs").Gateway} Gateway
 * @typedef {import("node:tls").PeerCertificate} Certificate
 */

/** The gateway did not answer, or what answered is not it. */
export class Unreachable extends Error {
  /** @override */
  name = "Unreachable";

  /**
   * @param {string} message
   * @param {boolean} lasts whether waiting does not mend it: a person has to
   */
  constructor(message, lasts) {
    super(message);
    this.lasts = lasts;
  }
}

/**
 * @param {Gateway} gateway
 * @param {unknown} error what the socket failed with
 * @returns {Promise<Unreachable>}
 */
export async function explain(gateway, error) {
  const code = /** @type {{ code?: string }} */ (error).code ?? "";
  const at = `${gateway.dialHost ?? gateway.host}:${gateway.port}`;
  if (code === "ECONNREFUSED") {
    return away(`nothing listens at ${at} (connection refused): is the gateway running?`);
  }
  if (code === "ENOTFOUND") return away(`no host is called ${gateway.host}: check the name`);
  if (code === "EAI_AGAIN") {
    return away(`the name ${gateway.host} cannot be looked up: is there a network?`);
  }
  if (code === "ETIMEDOUT") return away(`${at} does not answer: is there a way to it?`);
  if (gateway.secure && /WRONG_VERSION|PACKET_LENGTH/.test(code)) {
    return wrong(`${at} does not speak TLS: is its URL http://${gateway.authority}?`);
  }
  if (gateway.secure && isAboutCertificate(code)) {
    return wrong(await aboutCertificate(gateway, code));
  }
  return away(`${gateway.url} cannot be reached: ${code || String(error)}`);
}

/** @param {string} message */
export function away(message) {
  return new Unreachable(message, false);
}

/** @param {string} message */
export function wrong(message) {
  return new Unreachable(message, true);
}

/** @param {string} code */
function isAboutCertificate(code) {
  return /CERT|SELF_SIGNED|UNABLE_TO|ALTNAME|ISSUER/.test(code);
}

/**
 * The runtimes tell less than the certificate does: Deno calls an expired one unverifiable, and neither
 * names the authority that is missing.
 *
 * @param {Gateway} gateway
 * @param {string} code
 * @returns {Promise<string>}
 */
async function aboutCertificate(gateway, code) {
  /** @type {Certificate} */
  let certificate;
  try {
    certificate = await certificateOf(gateway);
  } catch {
    return `the certificate of ${gateway.url} is not accepted: ${code}`;
  }
  const { valid_from, valid_to } = certificate;
  if (Date.now() > Date.parse(valid_to)) {
    return `the certificate of ${gateway.url} expired on ${
      iso(valid_to)
    }, if this machine's clock is ` +
      "right: it has to be renewed on the gateway's machine";
  }
  if (Date.now() < Date.parse(valid_from)) {
    return `the certificate of ${gateway.url} is good only from ${iso(valid_from)} on: ` +
      "is this machine's clock right?";
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return `the certificate of ${gateway.url} is for ${namesOf(certificate)}, ` +
      `not for ${gateway.host}: call the gateway by a name that is in it`;
  }
  const issuer = nameOf(certificate.issuer);
  return gateway.caFile === undefined
    ? `the certificate of ${gateway.url} is signed by ${issuer}, which is not known here: ` +
      "bring that authority's file and name it with --ca FILE"
    : `the certificate of ${gateway.url} is signed by ${issuer}, which is not in ` +
      `${gateway.caFile}: bring that authority's file and name it with --ca`;
}

/** @param {string} date as OpenSSL prints it */
function iso(date) {
  return new Date(date).toISOString();
}

/** @param {Certificate["issuer"] | undefined} name */
function nameOf(name) {
  return `"${clean(String(name?.CN ?? name?.O ?? "an authority without a name"))}"`;
}

/** @param {Certificate} certificate */
function namesOf({ subjectaltname, subject }) {
  const names = (subjectaltname ?? "").split(", ")
    .map((name) => name.replace(/^(DNS|IP Address):/, "")).filter((name) => name !== "");
  return clean((names.length > 0 ? names : [String(subject?.CN)]).slice(0, 4).join(", "));
}

/**
 * What a certificate says is anybody's text, and goes to a terminal.
 *
 * @param {string} text
 */
function clean(text) {
  return text.replace(/[^\x20-\x7e]/g, "?").slice(0, 120);
}
