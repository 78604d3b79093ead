/**
 * What the two ends of a Noise connection show of themselves to the gateway. It has no part in what they
 * speak, but joins none that could not understand each other: whom nobody can talk with is told so when
 * it comes, and not left to fail in each of its turns.
 *
 * What is known to be wrong is refused: another profile, another suite, a key that is no key of the
 * suite. What is not known yet, such as a further field, is passed on as it came.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { NewRegistration } from "../store/registrations.ts";
import { type JsonObject, requiredObject } from "../http/body.ts";
import { HttpError } from "../http/context.ts";

/** The one that codex 0.142.5 to 0.171.0 have. */
const PROFILE = "noise_hybrid_ik_v1";

/** The one that keys of codex 0.142.5 to 0.171.0 are for. */
const SUITE = "Noise_hybridIK_X25519+MLKEM768_AESGCM_SHA256";

/** The length of each part of a key, in bytes: RFC 7748 section 5, FIPS 203 section 8. */
const KEY_BYTES = { x25519_public_key: 32, mlkem768_public_key: 1184 } as const;

/** Whether a register call is a Noise executor's. */
export function isNoise(body: JsonObject): boolean {
  return "security_profile" in body || "executor_public_key" in body;
}

/**
 * What a Noise executor registers with.
 *
 * @throws {HttpError} 400 naming what is wrong
 */
export function requiredNoise(
  body: JsonObject,
): Required<Pick<NewRegistration, "security_profile" | "executor_public_key">> {
  const { security_profile } = body;
  if (security_profile !== PROFILE) {
    throw new HttpError(400, `security_profile must be ${PROFILE}${butWas(security_profile)}`);
  }
  return { security_profile, executor_public_key: requiredPublicKey(body, "executor_public_key") };
}

/**
 * A required Noise public key, with whatever fields it has besides.
 *
 * @throws {HttpError} 400 naming what is wrong
 */
export function requiredPublicKey(body: JsonObject, field: string): JsonObject {
  const key = requiredObject(body, field);
  if (key.suite !== SUITE) {
    throw new HttpError(400, `${field}.suite must be ${SUITE}${butWas(key.suite)}`);
  }
  for (const [part, bytes] of Object.entries(KEY_BYTES)) {
    if (!isBase64Of(bytes, key[part])) {
      throw new HttpError(400, `${field}.${part} must be ${bytes} bytes in base64 with padding`);
    }
  }
  return key;
}

function butWas(value: unknown): string {
  return typeof value === "string" ? `, not ${JSON.stringify(value.slice(0, 80))}` : "";
}

/** Whether a value is the one spelling in base64 (RFC 4648 section 4) of so many bytes. */
function isBase64Of(bytes: number, value: unknown): boolean {
  if (typeof value !== "string") return false;
  const decoded = Buffer.from(value, "base64");
  return decoded.length === bytes && decoded.toString("base64") === value;
}
