/**
 * Capability tokens made by hand, with Node's HMAC and base64url: independent of the code under test,
 * so that they can also be wrong in one chosen way.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { CapabilityTokenError, verifyCapabilityToken } from "../../src/auth/capability_token.ts";

/** The secret that the crafted tokens are signed with. */
export const SECRET = new TextEncoder().encode("a secret of the tests");

/** The unix time at which they are verified. */
export const NOW = 1_800_000_000;

/** The documented header. */
export const HEADER = '{"alg":"HS256","typ":"CXG"}';

/** A payload in which nothing is wrong. */
export const CLAIMS = {
  turn_id: "turn_1",
  workspace_id: "ws_1",
  exe_ids: ["exe_1"],
  iat: NOW - 60,
  exp: NOW + 60,
};

/** Unpadded base64url, by Node. */
export function base64url(content: string | Uint8Array): string {
  return Buffer.from(content as string).toString("base64url");
}

/** Two parts with their signature as the third, whatever the parts are. */
export function signed(text: string, secret: Uint8Array = SECRET): string {
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

/** A well-signed token of a header and a payload, whatever they say. */
export function craft(
  payload: string | Uint8Array,
  { header = HEADER as string | Uint8Array, secret = SECRET as Uint8Array } = {},
): string {
  return signed(`${base64url(header)}.${base64url(payload)}`, secret);
}

/** A well-signed token of {@linkcode CLAIMS}, some of them changed; `undefined` leaves one out. */
export function tokenWith(changes: Record<string, unknown> = {}): string {
  return craft(JSON.stringify({ ...CLAIMS, ...changes }));
}

/**
 * The error that verifying the token ends with.
 *
 * @throws AssertionError when it is accepted, fails in another way, or the error repeats the token
 */
export async function refusalOf(token: string, now = NOW): Promise<CapabilityTokenError> {
  try {
    await verifyCapabilityToken(token, SECRET, now);
  } catch (error) {
    assert(error instanceof CapabilityTokenError, `threw ${error}`);
    assertRepeatsNothingOf(token, `${error.message} ${error.cause ?? ""}`);
    return error;
  }
  assert.fail(`accepted ${JSON.stringify(token)}`);
}

/**
 * Any eight characters in a row, of the token or of what its parts decode to, count as a repeat; only
 * the fields' documented names may be said.
 */
function assertRepeatsNothingOf(token: string, message: string): void {
  message = message.replaceAll("workspace_id", "");
  const readable = token.split(".").map((part) => Buffer.from(part, "base64url").toString());
  for (const text of [token, ...readable]) {
    for (let i = 0; i + 8 <= text.length; i++) {
      const piece = text.slice(i, i + 8);
      assert(!message.includes(piece), `the message repeats ${JSON.stringify(piece)}: ${message}`);
    }
  }
}
