/**
 * HMAC-SHA256 by WebCrypto, and the keys derived for each purpose.
 *
 * @module
 */

const HMAC_SHA256 = { name: "HMAC", hash: "SHA-256" } as const;
const encoder = new TextEncoder();

/** The keys that were imported; a secret's bytes never change. */
const imported = new WeakMap<Uint8Array<ArrayBuffer>, Promise<CryptoKey>>();

/**
 * Imports raw key bytes for {@linkcode sign} and {@linkcode verify}, once for each array: to import
 * them costs more than to verify.
 *
 * @param secret must not be changed after
 */
export function hmacKey(secret: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  let key = imported.get(secret);
  if (key === undefined) {
    key = crypto.subtle.importKey("raw", secret, HMAC_SHA256, false, ["sign", "verify"]);
    imported.set(secret, key);
  }
  return key;
}

/**
 * Derives an HMAC key from the gateway's secret for one purpose (HKDF, RFC 5869), so that what is
 * signed for one purpose is worthless for every other.
 *
 * @param secret the gateway's capability-token secret
 * @param label names the purpose; two labels give two unrelated keys
 */
export async function deriveHmacKey(
  secret: Uint8Array<ArrayBuffer>,
  label: string,
): Promise<CryptoKey> {
  const master = await crypto.subtle.importKey("raw", secret, "HKDF", false, ["deriveKey"]);
  return crypto.subtle.deriveKey(
    { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: encoder.encode(label) },
    master,
    { ...HMAC_SHA256, length: 256 },
    false,
    ["sign", "verify"],
  );
}

/** Signs text; returns the 32 bytes of the signature. */
export async function sign(key: CryptoKey, text: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(text)));
}

/** Whether `signature` is that of `text`; compares in constant time. */
export function verify(
  key: CryptoKey,
  signature: Uint8Array<ArrayBuffer>,
  text: string,
): Promise<boolean> {
  return crypto.subtle.verify("HMAC", key, signature, encoder.encode(text));
}
