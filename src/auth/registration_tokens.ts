/**
 * Registration tokens: what an executor proves itself with. Only their bcrypt hashes are kept.
 *
 * @module
 */
import { encodeHex } from "./base64url.ts";
import type { BcryptRequest, BcryptResponse } from "./bcrypt_worker.ts";

/** More checks are waiting than the queue holds: the caller should come again. */
export class BusyError extends Error {
  override name = "BusyError";
  constructor() {
    super("too many registration tokens are being checked; try again shortly");
  }
}

/**
 * Compared against when there is no such executor, so that the caller waits as long as for a wrong
 * token. It is the hash, at the cost of real ones, of random bytes that were thrown away.
 */
const NOBODYS_HASH = "$2a$10$XsTWX9fnl3WplOAEOdfKs.6LwHBPMYYu/HH4anN6U8iwZE.AqqJ0m";

/** bcrypt looks at 72 bytes and no more: a longer token cannot be told from its beginning. */
const MAX_TOKEN_BYTES = 72;

/** A new registration token: 32 random bytes in hex. */
export function newRegistrationToken(): string {
  return encodeHex(crypto.getRandomValues(new Uint8Array(32)));
}

/** Hashes and checks registration tokens in a worker, with a bounded queue before it. */
export class RegistrationTokens implements Disposable {
  #worker: Worker | undefined;
  readonly #maxWaiting: number;
  readonly #waiting = new Map<number, PromiseWithResolvers<string | boolean>>();
  #lastId = 0;
  #disposed = false;

  /** @param maxWaiting how many hashes and checks may be under way or waiting at once */
  constructor({ maxWaiting = 256 }: { maxWaiting?: number } = {}) {
    this.#maxWaiting = maxWaiting;
    // Not at the first check, which should not wait for the module to load.
    this.#worker = this.#startWorker();
  }

  /** How many hashes and checks are under way or waiting. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * The bcrypt hash of a token.
   *
   * @throws {BusyError} when the queue is full
   */
  async hash(token: string): Promise<string> {
    return await this.#ask({ op: "hash", token }) as string;
  }

  /**
   * Whether `token` is the one that `hash` was made of.
   *
   * @param hash the executor's, or `undefined` when there is no such executor: then the answer is
   * no, after the same work
   * @throws {BusyError} when the queue is full
   */
  async verify(token: string, hash: string | undefined): Promise<boolean> {
    const fits = token !== "" && new TextEncoder().encode(token).length <= MAX_TOKEN_BYTES;
    const matches = await this.#ask({
      op: "verify",
      token: fits ? token : "-",
      hash: hash ?? NOBODYS_HASH,
    });
    return matches === true && fits && hash !== undefined;
  }

  /** Ends the worker; what is still waiting fails. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#worker?.terminate();
    this.#failAll(new Error("the gateway is stopping"));
  }

  #ask(request: DistributiveOmit<BcryptRequest, "id">): Promise<string | boolean> {
    if (this.#disposed) return Promise.reject(new Error("the gateway is stopping"));
    if (this.#waiting.size >= this.#maxWaiting) return Promise.reject(new BusyError());
    this.#worker ??= this.#startWorker();
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<string | boolean>();
    this.#waiting.set(id, answer);
    this.#worker.postMessage({ ...request, id });
    return answer.promise;
  }

  #startWorker(): Worker {
    const worker = new Worker(new URL("./bcrypt_worker.ts", import.meta.url).href, {
      type: "module",
      name: "bcrypt",
    });
    worker.onmessage = ({ data }: MessageEvent<BcryptResponse>) => this.#settle(data);
    worker.onerror = (event) => {
      event.preventDefault();
      // A new one takes its place at the next check.
      worker.terminate();
      this.#worker = undefined;
      this.#failAll(new Error(`the bcrypt worker failed: ${event.message}`));
    };
    return worker;
  }

  #settle(response: BcryptResponse): void {
    const answer = this.#waiting.get(response.id);
    this.#waiting.delete(response.id);
    if ("error" in response) answer?.reject(new Error(response.error));
    else answer?.resolve(response.result);
  }

  #failAll(error: Error): void {
    for (const answer of this.#waiting.values()) answer.reject(error);
    this.#waiting.clear();
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
