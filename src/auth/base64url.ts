/**
 * base64url without padding, as JWS uses it (RFC 7515 section 2), over the language's own codec.
 * The one file to change to go back to `@std/encoding`.
 *
 * @module
 */

const ALPHABET = /^[A-Za-z0-9_-]*$/;

/**
 * Encodes bytes as unpadded base64url.
 *
 * ```ts
 * import { encodeBase64url } from "./base64url.ts";
 * encodeBase64url(new Uint8Array([251, 255])); // "-_8"
 * ```
 */
export function encodeBase64url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

/**
 * Decodes unpadded base64url. Padding, white space, a foreign alphabet and stray trailing bits are
 * refused, so that each value has exactly one spelling.
 *
 * @returns the bytes, or `undefined` when `text` is not the canonical encoding of any
 */
export function decodeBase64url(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!ALPHABET.test(text) || text.length % 4 === 1) return undefined;
  const bytes = Uint8Array.fromBase64(text, { alphabet: "base64url" });
  return encodeBase64url(bytes) === text ? bytes : undefined;
}

/** Encodes bytes as lower-case hexadecimal. */
export function encodeHex(bytes: Uint8Array): string {
  return bytes.toHex();
}
