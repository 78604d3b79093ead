/**
 * The pair of keys that a direct executor (codex 0.171 with `--remote-transport direct`) signs with.
 *
 * A signature can only be checked by who has the secret itself, and the gateway keeps no executor's
 * secret: of registration tokens it has hashes. So the pair is not kept but derived, each time that it
 * is needed, from a key that the gateway alone can derive and from the executor's row:
 *
 * - the access key id names the executor and the generation of its registration token. The generation
 *   is made of the token's bcrypt hash, which has a salt of its own: whoever gives the executor another
 *   token, by whatever means, makes the old pair worthless, and no column has to be kept in step;
 * - the secret access key is made of both.
 *
 * Another `CXG_CAPTOKEN_HMAC_SECRET` makes every pair worthless too, unless the one that it was made with
 * is kept as the previous one.
 *
 * @module
 */
import { encodeBase64url, encodeHex } from "./base64url.ts";
import { deriveHmacKey, sign } from "./hmac.ts";

/** What `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` are set to. */
export interface KeyPair {
  access_key_id: string;
  secret_access_key: string;
}

/** The generation is 64 bits: enough that no two tokens of one executor have the same. */
const GENERATION_DIGITS = 16;

/** The longest access key id that AWS's own API takes, in characters; each matches `\w` there. */
const MAX_ACCESS_KEY_ID = 128;

/** Derives the pairs of all executors. */
export class DirectKeys {
  readonly #key: CryptoKey;
  /** These, and those whose pairs are good too, but are given to nobody any more. */
  readonly accepted: readonly DirectKeys[];

  private constructor(key: CryptoKey, previous: readonly DirectKeys[]) {
    this.#key = key;
    this.accepted = [this, ...previous];
  }

  /**
   * @param secret the gateway's capability-token secret
   * @param previous another, of which the pairs are good too
   */
  static async derive(
    secret: Uint8Array<ArrayBuffer>,
    previous?: Uint8Array<ArrayBuffer>,
  ): Promise<DirectKeys> {
    return new DirectKeys(
      await deriveHmacKey(secret, "direct executor keys"),
      previous === undefined ? [] : [await DirectKeys.derive(previous)],
    );
  }

  /**
   * The pair of an executor.
   *
   * @param registrationTokenHash the bcrypt hash of its registration token
   */
  async pairOf(exeId: string, registrationTokenHash: string): Promise<KeyPair> {
    const generation = encodeHex(
      await this.#make("generation", exeId, registrationTokenHash),
    ).slice(0, GENERATION_DIGITS);
    const name = exeId.replaceAll(/\W/g, "_").slice(0, MAX_ACCESS_KEY_ID - 1 - GENERATION_DIGITS);
    return {
      access_key_id: `${name}_${generation}`,
      secret_access_key: encodeBase64url(await this.#make("secret", exeId, generation)),
    };
  }

  /**
   * The id of the registration that a pair stands for. It is the same at each call: a direct executor
   * comes to the same URL for as long as its pair is good, and has nothing else to be known by.
   */
  async registrationIdOf({ access_key_id }: KeyPair): Promise<string> {
    const bytes = await this.#make("registration", access_key_id);
    return `reg_${encodeHex(bytes).slice(0, 32)}`;
  }

  #make(...parts: string[]): Promise<Uint8Array<ArrayBuffer>> {
    // No two lists of parts give the same text.
    return sign(this.#key, JSON.stringify(parts));
  }
}
