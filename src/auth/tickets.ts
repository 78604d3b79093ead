/**
 * Tickets: what `register` puts into the `url` it returns, so that the registration token itself
 * stays out of URLs. A ticket names the registration it came from, so that it dies with it.
 *
 *     ticket = "cxgx." base64url(payload) "." base64url(HMAC-SHA256(key, base64url(payload)))
 *
 * @module
 */
import type { Registration } from "../model.ts";
import { decodeBase64url, encodeBase64url } from "./base64url.ts";
import { deriveHmacKey, sign, verify } from "./hmac.ts";

const EXECUTOR_PREFIX = "cxgx.";
const EXECUTOR_LABEL = "codex-exec-gateway executor ticket v1";

/** What an executor's ticket says: this registration of this executor may dial in. */
export interface ExecutorTicket extends Registration {
  exe_id: string;
}

/** Whether a credential has the form of an executor's ticket, good or not. */
export function isExecutorTicket(credential: string): boolean {
  return credential.startsWith(EXECUTOR_PREFIX);
}

/** Mints and checks tickets with a key derived from the gateway's secret. */
export class Tickets {
  readonly #executorKey: CryptoKey;

  private constructor(executorKey: CryptoKey) {
    this.#executorKey = executorKey;
  }

  /** @param secret the gateway's capability-token secret, of which the key is derived */
  static async derive(secret: Uint8Array<ArrayBuffer>): Promise<Tickets> {
    return new Tickets(await deriveHmacKey(secret, EXECUTOR_LABEL));
  }

  /** Signs an executor's ticket. */
  async mintExecutorTicket(ticket: ExecutorTicket): Promise<string> {
    const { exe_id, registration_id, kind } = ticket;
    const payload = encodeBase64url(
      new TextEncoder().encode(JSON.stringify({ exe_id, registration_id, kind })),
    );
    return `${EXECUTOR_PREFIX}${payload}.${
      encodeBase64url(await sign(this.#executorKey, payload))
    }`;
  }

  /**
   * What an executor's ticket says, or `undefined` when this gateway's secret did not sign it. Whether
   * its registration is still the newest is for the store to tell.
   */
  async openExecutorTicket(text: string): Promise<ExecutorTicket | undefined> {
    if (!isExecutorTicket(text)) return undefined;
    const [payload, signature, ...rest] = text.slice(EXECUTOR_PREFIX.length).split(".");
    if (!payload || !signature || rest.length > 0) return undefined;
    const signatureBytes = decodeBase64url(signature);
    const payloadBytes = decodeBase64url(payload);
    if (signatureBytes === undefined || payloadBytes === undefined) return undefined;
    if (!await verify(this.#executorKey, signatureBytes, payload)) return undefined;
    return JSON.parse(new TextDecoder().decode(payloadBytes)) as ExecutorTicket;
  }
}
