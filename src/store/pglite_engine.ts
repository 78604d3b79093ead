/**
 * The embedded engine as this thread sees it: a worker, until it ends.
 *
 * @module
 */

import { DatabaseFullError, DatabaseUnavailableError, unavailability } from "./database.ts";
import type { Answer, Failure, Request } from "./pglite_protocol.ts";

/** An error of the engine, with its SQLSTATE. */
class SqlError extends Error {
  override name = "SqlError";
  constructor(message: string, readonly code: string) {
    super(message);
  }
}

type Unnumbered<T> = T extends { id: number } ? Omit<T, "id"> : never;

/** One run of the engine. What it is asked once it has ended is refused. */
export class PgliteEngine {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown[]>>();
  readonly #onDeath: (error: DatabaseUnavailableError) => void;
  #lastId = 0;
  #ended: DatabaseUnavailableError | undefined;

  private constructor(onDeath: (error: DatabaseUnavailableError) => void) {
    this.#onDeath = onDeath;
    this.#worker = new Worker(new URL("./pglite_worker.ts", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      if ("died" in data) this.#die(data.died);
      else this.#settle(data);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#die(`its worker died: ${event.message}`);
    };
  }

  /**
   * Starts the engine on a database directory, which is made when it is absent.
   *
   * @param onDeath told when it ends by itself, once it was open
   * @throws {DatabaseUnavailableError} when it cannot be opened
   */
  static async open(
    directory: string,
    onDeath: (error: DatabaseUnavailableError) => void,
  ): Promise<PgliteEngine> {
    let isOpen = false;
    const engine = new PgliteEngine((error) => {
      if (isOpen) onDeath(error);
    });
    try {
      await engine.#ask({ kind: "open", directory });
    } catch (error) {
      engine.end("the embedded database could not be opened");
      throw error;
    }
    isOpen = true;
    return engine;
  }

  /** Whether it will answer no more. */
  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** Runs SQL; see `Query`. */
  async query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    return await this.#ask({ kind: "query", text, values }) as Row[];
  }

  /** Closes the database, after every query in hand, since the worker answers in order. */
  async close(): Promise<void> {
    await this.#ask({ kind: "close" }).catch(() => {});
    this.end("the embedded database is closed");
  }

  /** Ends the worker, and refuses everything in hand because of `reason`. */
  end(reason: string): void {
    this.#endWith(new DatabaseUnavailableError(reason));
  }

  #die(reason: string): void {
    if (this.#ended !== undefined) return;
    const error = failed(reason);
    this.#endWith(error);
    this.#onDeath(error);
  }

  #endWith(error: DatabaseUnavailableError): void {
    if (this.#ended !== undefined) return;
    this.#ended = error;
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  #ask(request: Unnumbered<Request>): Promise<unknown[]> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<unknown[]>();
    this.#waiting.set(id, answer);
    this.#worker.postMessage({ id, ...request } satisfies Request);
    return answer.promise;
  }

  #settle(answer: Exclude<Answer, { died: string }>): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ("rows" in answer) waiting?.resolve(answer.rows);
    else waiting?.reject(asError(answer.failure));
  }
}

function asError({ message, code }: Failure): Error {
  // Without an SQLSTATE it is not the statement's fault: the engine itself is in trouble.
  if (code === undefined) return failed(message);
  return unavailability(code, `the embedded database failed: ${message}`) ??
    new SqlError(message, code);
}

function failed(reason: string): DatabaseUnavailableError {
  const isFull = /No space left on device|Disk quota exceeded/.test(reason);
  const kind = isFull ? DatabaseFullError : DatabaseUnavailableError;
  return new kind(`the embedded database failed: ${reason}`);
}
