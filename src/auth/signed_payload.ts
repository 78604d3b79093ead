import { decodeBase64url, encodeBase64url } from "./base64url.ts";
import { deriveHmacKey, sign, verify } from "./hmac.ts";

/**
 * Signed statements of one kind: only this gateway's secret makes them, and one kind is worthless
 * where another is asked for.
 *
 *     text = prefix "." base64url(JSON payload) "." base64url(HMAC-SHA256(key, base64url(payload)))
 *
 * The key is derived by HKDF with a label of the kind's own.
 */
export class Sealed<Payload extends object> {
  readonly #prefix: string;
  /** The first signs, and each verifies. */
  readonly #keys: readonly [CryptoKey, ...CryptoKey[]];

  private constructor(prefix: string, keys: readonly [CryptoKey, ...CryptoKey[]]) {
    this.#prefix = `${prefix}.`;
    this.#keys = keys;
  }

  /**
   * @param prefix marks the kind to a reader
   * @param label names the kind to HKDF
   * @param secret the gateway's capability-token secret
   * @param previous another, of which statements are good too
   */
  static async derive<Payload extends object>(
    prefix: string,
    label: string,
    secret: Uint8Array<ArrayBuffer>,
    previous?: Uint8Array<ArrayBuffer>,
  ): Promise<Sealed<Payload>> {
    const keyOf = (of: Uint8Array<ArrayBuffer>) =>
      deriveHmacKey(of, `codex-exec-gateway ${label} v1`);
    const key = await keyOf(secret);
    return new Sealed(prefix, previous === undefined ? [key] : [key, await keyOf(previous)]);
  }

  /** Whether a credential has the form of this kind, good or not. */
  looksLike(text: string): boolean {
    return text.startsWith(this.#prefix);
  }

  /** Signs a payload. */
  async seal(payload: Payload): Promise<string> {
    const encoded = encodeBase64url(new TextEncoder().encode(JSON.stringify(payload)));
    return `${this.#prefix}${encoded}.${encodeBase64url(await sign(this.#keys[0], encoded))}`;
  }

  /** What was signed, or `undefined` when it was not signed here, for this, or as it stands. */
  async open(text: string): Promise<Payload | undefined> {
    if (!this.looksLike(text)) return undefined;
    const [encoded, signature, ...rest] = text.slice(this.#prefix.length).split(".");
    if (!encoded || !signature || rest.length > 0) return undefined;
    const signatureBytes = decodeBase64url(signature);
    const payloadBytes = decodeBase64url(encoded);
    if (signatureBytes === undefined || payloadBytes === undefined) return undefined;
    for (const key of this.#keys) {
      if (!await verify(key, signatureBytes, encoded)) continue;
      return JSON.parse(new TextDecoder().decode(payloadBytes)) as Payload;
    }
    return undefined;
  }
}
