/**
 * Registration tokens: what an executor proves itself with. Only their bcrypt hashes are kept, and
 * digests (`token_digest.ts`), without which bcrypt has to judge them.
 *
 * @module
 */
import { Holdings } from "../limits/quota.ts";
import { encodeHex } from "./base64url.ts";
import type { BcryptRequest, BcryptResponse } from "./bcrypt_worker.ts";
import { FairQueue } from "../limits/fair_queue.ts";

/** Too many checks are under way or waiting: the caller should come again. */
export class BusyError extends Error {
  override name = "BusyError";
  constructor(whose = "") {
    super(`too many registration tokens${whose} are being checked; try again shortly`);
  }
}

/** Whom a check is counted against. */
export interface Asker {
  /** The executor whose token it claims to be. */
  readonly exeId: string;
  /** Where it comes from; see `sourceOf`. */
  readonly source: string;
}

/** How many checks of one executor's token may be under way or waiting. */
const MAX_OF_EXECUTOR = 4;

/**
 * Of how many parts of the queue one source may hold one: not so few that the executors behind one NAT
 * could not come back together, since released codex ends when it is refused.
 */
const PARTS = 4;

/** The owner of what the gateway's own API asks, in the queue. */
const API = "";

/** bcrypt looks at 72 bytes and no more: a longer token cannot be told from its beginning. */
const MAX_TOKEN_BYTES = 72;

/** A new registration token: 32 random bytes in hex. */
export function newRegistrationToken(): string {
  return encodeHex(crypto.getRandomValues(new Uint8Array(32)));
}

/** What is asked of the worker, and who waits for the answer. */
interface Job {
  readonly request: BcryptRequest;
  readonly answer: PromiseWithResolvers<string | boolean>;
}

/**
 * Hashes and checks registration tokens in a worker, with a bounded queue before it, which serves each
 * source in its turn and of which one source holds a part at most, and one executor a few places.
 */
export class RegistrationTokens implements Disposable {
  #worker: Worker | undefined;
  readonly #maxWaiting: number;
  readonly #queue = new FairQueue<Job>();
  readonly #bySource: Holdings;
  readonly #byExecutor = new Holdings(MAX_OF_EXECUTOR);
  #underWay: Job | undefined;
  #lastId = 0;
  #disposed = false;

  /** @param maxWaiting how many checks may be under way or waiting at once */
  constructor({ maxWaiting = 256 }: { maxWaiting?: number } = {}) {
    this.#maxWaiting = maxWaiting;
    this.#bySource = new Holdings(Math.ceil(maxWaiting / PARTS));
    // Not at the first check, which should not wait for the module to load.
    this.#worker = this.#startWorker();
  }

  /** How many hashes and checks were begun. */
  get runs(): number {
    return this.#lastId;
  }

  /** How many hashes and checks are under way or waiting. */
  get waiting(): number {
    return this.#queue.size + (this.#underWay === undefined ? 0 : 1);
  }

  /**
   * The bcrypt hash of a token.
   *
   * @throws {BusyError} when the queue is full; checks leave half of it to hashes
   */
  async hash(token: string): Promise<string> {
    if (this.waiting >= 2 * this.#maxWaiting) throw new BusyError();
    return await this.#ask(API, { op: "hash", token }) as string;
  }

  /**
   * Whether `token` is the one that `hash` was made of.
   *
   * @param asker whom the check is counted against
   * @throws {BusyError} when the queue is full, or the asker's part of it
   */
  async verify(token: string, hash: string, { exeId, source }: Asker): Promise<boolean> {
    if (this.waiting >= this.#maxWaiting) throw new BusyError();
    if (!this.#bySource.take(source)) throw new BusyError(" from this address");
    try {
      if (!this.#byExecutor.take(exeId)) throw new BusyError(" of this executor");
      try {
        const fits = token !== "" && new TextEncoder().encode(token).length <= MAX_TOKEN_BYTES;
        const request = { op: "verify", token: fits ? token : "-", hash } as const;
        return await this.#ask(source, request) === true && fits;
      } finally {
        this.#byExecutor.release(exeId);
      }
    } finally {
      this.#bySource.release(source);
    }
  }

  /** Ends the worker; what is still waiting fails. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#worker?.terminate();
    this.#failAll(new Error("the gateway is stopping"));
  }

  #ask(owner: string, request: DistributiveOmit<BcryptRequest, "id">): Promise<string | boolean> {
    if (this.#disposed) return Promise.reject(new Error("the gateway is stopping"));
    const answer = Promise.withResolvers<string | boolean>();
    this.#queue.push(owner, { request: { ...request, id: ++this.#lastId }, answer });
    this.#next();
    return answer.promise;
  }

  /** Hands the worker what is next, when it has nothing to do. */
  #next(): void {
    if (this.#underWay !== undefined) return;
    this.#underWay = this.#queue.shift();
    if (this.#underWay === undefined) return;
    this.#worker ??= this.#startWorker();
    this.#worker.postMessage(this.#underWay.request);
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
    const job = this.#underWay;
    if (job?.request.id !== response.id) return;
    this.#underWay = undefined;
    this.#next();
    if ("error" in response) job.answer.reject(new Error(response.error));
    else job.answer.resolve(response.result);
  }

  #failAll(error: Error): void {
    for (let job = this.#underWay; job !== undefined; job = this.#queue.shift()) {
      job.answer.reject(error);
    }
    this.#underWay = undefined;
  }
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
