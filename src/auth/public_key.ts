import { encodeBase64url } from "./base64url.ts";

/**
 * A digest that stands for a public key, which is opaque to the gateway: SHA-256 of its JSON with the
 * names of each object in order, since a client may write the same key in another order.
 */
export async function publicKeyDigest(key: object): Promise<string> {
  const json = JSON.stringify(key, (_, value) => isObject(value) ? sorted(value) : value);
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(json));
  return encodeBase64url(new Uint8Array(digest));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function sorted(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).sort(([a], [b]) => a < b ? -1 : 1));
}
