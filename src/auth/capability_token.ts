/**
 * Capability tokens: one turn's right to reach named executors.
 *
 *     token   = base64url(header) "." base64url(payload) "." base64url(signature)
 *     header  = {"alg":"HS256","typ":"CXG"}
 *     payload = {"turn_id":…,"workspace_id":…,"exe_ids":[…],"iat":…,"exp":…}
 *
 * The signature is HMAC-SHA256 over the first two parts. The format is the package page's
 * (`VerifyCapabilityToken`).
 *
 * @module
 */
import { decodeBase64url, encodeBase64url } from "./base64url.ts";
import { formatDuration } from "../text/duration.ts";
import { hmacKey, sign, verify } from "./hmac.ts";

/** How long a token may live when nothing else is said, in seconds. */
export const DEFAULT_MAX_TTL_S = 7 * 86_400;

/** How far the clock that a token was minted by may be ahead, in seconds. */
export const CLOCK_LEEWAY_S = 300;

/** From here on, a number is no time in seconds that anybody means (the year 5138): it is milliseconds. */
const MILLISECONDS_FROM = 1e11;

/** Why a capability token was refused; the message is fit to be shown to its bearer. */
export class CapabilityTokenError extends Error {
  override name = "CapabilityTokenError";
}

/** The token is not of the documented form. */
export class MalformedTokenError extends CapabilityTokenError {
  override name = "MalformedTokenError";
  constructor(detail: string) {
    super(`malformed capability token: ${detail}`);
  }
}

/** The token was not signed with this gateway's secret. */
export class BadSignatureError extends CapabilityTokenError {
  override name = "BadSignatureError";
  constructor() {
    super("bad capability token signature");
  }
}

/** The fields of a token's payload; `iat` and `exp` are in unix seconds. */
export interface CapClaims {
  turn_id: string;
  workspace_id: string;
  exe_ids: readonly string[];
  iat: number;
  exp: number;
}

/** The verified payload of a capability token. */
export class CapPayload implements CapClaims {
  readonly turn_id: string;
  readonly workspace_id: string;
  readonly exe_ids: readonly string[];
  readonly iat: number;
  readonly exp: number;

  constructor(claims: CapClaims) {
    this.turn_id = claims.turn_id;
    this.workspace_id = claims.workspace_id;
    this.exe_ids = claims.exe_ids;
    this.iat = claims.iat;
    this.exp = claims.exp;
  }

  /** Whether the token may reach this executor. */
  allowsExeId(exeId: string): boolean {
    return this.exe_ids.includes(exeId);
  }
}

/** The token's `exp` is before now; nothing else is wrong with it. */
export class ExpiredTokenError extends CapabilityTokenError {
  override name = "ExpiredTokenError";
  /** What the token says. */
  readonly payload: CapPayload;
  constructor(payload: CapPayload) {
    super("capability token expired");
    this.payload = payload;
  }
}

/** Whether a value can name a turn: 1 to 1,024 characters, all of which the store can keep. */
export function isTurnId(value: unknown): value is string {
  return typeof value === "string" && /^[^\0]{1,1024}$/.test(value) && value.isWellFormed();
}

const HEADER = encodeBase64url(new TextEncoder().encode('{"alg":"HS256","typ":"CXG"}'));

/**
 * Parses and verifies a capability token. The signature is compared in constant time, and nothing
 * of the payload is looked at before it holds.
 *
 * @param token the three-part token
 * @param secret the shared HMAC secret
 * @param now unix time in seconds; a token whose `exp` is before it is expired
 * @param maxTtlS how much longer a token may live, in seconds: a revocation is kept for as long
 * @throws {MalformedTokenError} when the token is not of the documented form, or has longer to live
 * @throws {BadSignatureError} when it was signed with another secret, or changed
 * @throws {ExpiredTokenError} when it is past its `exp`
 */
export async function verifyCapabilityToken(
  token: string,
  secret: Uint8Array<ArrayBuffer>,
  now: number = Math.floor(Date.now() / 1000),
  maxTtlS: number = DEFAULT_MAX_TTL_S,
): Promise<CapPayload> {
  const [header, payload, signature, ...rest] = token.split(".");
  if (!header || !payload || !signature || rest.length > 0) {
    throw new MalformedTokenError("it must have three parts");
  }
  checkHeader(header);
  const signatureBytes = decodeBase64url(signature);
  if (signatureBytes === undefined) {
    throw new MalformedTokenError("its signature is not unpadded base64url");
  }
  const key = await hmacKey(secret);
  if (!await verify(key, signatureBytes, `${header}.${payload}`)) throw new BadSignatureError();
  const claims = checkClaims(decodeObject(payload, "payload"));
  if (claims.exp < now) throw new ExpiredTokenError(claims);
  if (claims.exp > now + maxTtlS + CLOCK_LEEWAY_S) {
    throw new MalformedTokenError(
      `exp must be at most ${formatDuration(maxTtlS)} away (CXG_MAX_TOKEN_TTL), in unix seconds`,
    );
  }
  return claims;
}

/**
 * Mints a capability token, for the command line and the tests; in production the platform does.
 *
 * @param claims the payload, whose names and types are not checked
 * @param secret the shared HMAC secret
 */
export async function mintCapabilityToken(
  claims: CapClaims,
  secret: Uint8Array<ArrayBuffer>,
): Promise<string> {
  const { turn_id, workspace_id, exe_ids, iat, exp } = claims;
  const json = JSON.stringify({ turn_id, workspace_id, exe_ids, iat, exp });
  const signed = `${HEADER}.${encodeBase64url(new TextEncoder().encode(json))}`;
  return `${signed}.${encodeBase64url(await sign(await hmacKey(secret), signed))}`;
}

function checkHeader(header: string): void {
  // Nearly every token carries the header in this very spelling.
  if (header === HEADER) return;
  const { alg, typ } = decodeObject(header, "header");
  if (alg !== "HS256") throw new MalformedTokenError('its header must have "alg": "HS256"');
  if (typ !== "CXG") throw new MalformedTokenError('its header must have "typ": "CXG"');
}

function decodeObject(part: string, name: string): Record<string, unknown> {
  const bytes = decodeBase64url(part);
  if (bytes === undefined) throw new MalformedTokenError(`its ${name} is not unpadded base64url`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw new MalformedTokenError(`its ${name} is not JSON`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new MalformedTokenError(`its ${name} is not a JSON object`);
  }
  return value as Record<string, unknown>;
}

function checkClaims(fields: Record<string, unknown>): CapPayload {
  // A minter may leave out what the gateway does not decide by, as the Go original allows.
  const { turn_id, workspace_id = "", iat = 0, exp } = fields;
  // A Go minter writes null for an empty list; one that names a workspace alone writes none.
  const exe_ids = fields.exe_ids ?? [];
  // Revocation is by turn: a token without one, or with one that the store could not keep, could never
  // be revoked.
  if (!isTurnId(turn_id)) {
    throw new MalformedTokenError("turn_id must be a text of 1 to 1024 characters");
  }
  if (typeof workspace_id !== "string") {
    throw new MalformedTokenError("workspace_id must be a string");
  }
  if (!Array.isArray(exe_ids) || !exe_ids.every((id) => typeof id === "string")) {
    throw new MalformedTokenError("exe_ids must be an array of strings");
  }
  if (!isUnixSeconds(iat)) throw new MalformedTokenError("iat must be whole unix seconds");
  if (!isUnixSeconds(exp)) throw new MalformedTokenError("exp must be whole unix seconds");
  if (exp >= MILLISECONDS_FROM) {
    throw new MalformedTokenError("exp must be in unix seconds, and looks like milliseconds");
  }
  return new CapPayload({ turn_id, workspace_id, exe_ids, iat, exp });
}

/** A number that JSON carried without loss: a huge one would silently mean "never expires". */
function isUnixSeconds(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
