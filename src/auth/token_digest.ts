/**
 * Digests of registration tokens: SHA-256, by which a token is judged in microseconds where bcrypt
 * takes 60 ms of CPU for each check, the right one's and an attacker's alike.
 *
 * A slow hash is for passwords: whoever steals the table guesses them, and each guess has to cost. A
 * registration token is 32 random bytes that the gateway made. Guessing one takes 2^255 tries on
 * average; at a million million a second that is 10^57 years, and a hash that is ten thousand times
 * slower changes nothing. What is asked of its hash is only that it cannot be inverted, which SHA-256
 * gives. No salt: it is there so that equal passwords have different hashes, and no two tokens are
 * equal. So a stolen digest opens nothing, and a digest is worth as much as the bcrypt hash beside it.
 *
 * That holds for tokens that were made so. One of another form may have been chosen by a person, as
 * whoever writes to the database by other means could do: it has no digest, and bcrypt goes on judging
 * it.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { secretsEqual } from "./constant_time.ts";

/** Stands in for the digest of an executor that does not exist. No token is known that has it. */
const NOBODYS_DIGEST = "0".repeat(64);

/** Whether a token has the form that the gateway makes: 32 bytes in hex, so 256 random bits. */
export function isRandomToken(token: string): boolean {
  return /^[0-9a-f]{64}$/.test(token);
}

/** The digest of a token, in hex. */
export function tokenDigest(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/**
 * Whether a digest is the token's; compared in constant time.
 *
 * @param digest the executor's, or `undefined` when there is no such executor: then the answer is no,
 * after the same work
 */
export function isDigestOf(token: string, digest: string | undefined): boolean {
  return secretsEqual(tokenDigest(token), digest ?? NOBODYS_DIGEST);
}
