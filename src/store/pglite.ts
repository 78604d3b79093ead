/**
 * The embedded database: PGlite in a data directory of ours, behind a worker.
 *
 * @module
 */

import {
  type Database,
  DatabaseUnavailableError,
  DataDirectoryError,
  type Query,
} from "./database.ts";
import { lockDataDirectory } from "./data_directory.ts";
import type { Answer, Request } from "./pglite_protocol.ts";

/**
 * Opens the embedded database in `directory`, making both when they are absent: the database in
 * `pgdata`, and in `lock` what keeps other processes out. Making one takes some seconds.
 *
 * @param directory the data directory, which one process at a time may have open
 * @throws {DataDirectoryInUseError} when another has it open
 * @throws {DataDirectoryError} when it cannot be used: not ours to write, not a directory, …
 */
export async function openPglite(directory: string): Promise<Database> {
  const lock = await lockDataDirectory(directory);
  const database = new PgliteDatabase(lock);
  try {
    await database.open(`${directory}/pgdata`);
  } catch (error) {
    database.abandon("the embedded database could not be opened");
    const message = error instanceof Error ? error.message : String(error);
    throw new DataDirectoryError(`cannot open the database in ${directory}: ${message}`);
  }
  return database;
}

/** An error of the engine, with its SQLSTATE. */
class SqlError extends Error {
  override name = "SqlError";
  constructor(message: string, readonly code: string) {
    super(message);
  }
}

type Unnumbered<T> = T extends { id: number } ? Omit<T, "id"> : never;

class PgliteDatabase implements Database {
  readonly #worker: Worker;
  readonly #lock: Deno.FsFile;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown[]>>();
  #lastId = 0;
  /** Settles when the session that came last has ended. */
  #lastSession: Promise<void> = Promise.resolve();
  /** Why there will be no more answers, once there will be none. */
  #gone: string | undefined;
  #closed: Promise<void> | undefined;

  constructor(lock: Deno.FsFile) {
    this.#lock = lock;
    this.#worker = new Worker(new URL("./pglite_worker.ts", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => this.#settle(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.abandon(`the embedded database's worker died: ${event.message}`);
    };
  }

  async open(directory: string): Promise<void> {
    await this.#ask({ kind: "open", directory });
  }

  async query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    this.#refuseWhenClosed();
    await this.#lastSession;
    return await this.#run<Row>(text, values);
  }

  async session<T>(work: (query: Query) => Promise<T>): Promise<T> {
    this.#refuseWhenClosed();
    const before = this.#lastSession;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lastSession = promise;
    await before;
    try {
      return await work((text, values) => this.#run(text, values));
    } catch (error) {
      // What ending its connection does on a server.
      await this.#run("ROLLBACK; SELECT pg_advisory_unlock_all()").catch(() => {});
      throw error;
    } finally {
      resolve();
    }
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      await this.#lastSession;
      // After every query in hand, since the worker answers in order.
      await this.#ask({ kind: "close" }).catch(() => {});
      this.abandon("the embedded database is closed");
    })();
    return this.#closed;
  }

  /** Ends the worker, frees the directory, and rejects everything in hand because of `reason`. */
  abandon(reason: string): void {
    if (this.#gone !== undefined) return;
    this.#gone = reason;
    this.#worker.terminate();
    this.#lock.close();
    for (const { reject } of this.#waiting.values()) reject(new DatabaseUnavailableError(reason));
    this.#waiting.clear();
  }

  #refuseWhenClosed(): void {
    if (this.#closed !== undefined) {
      throw new DatabaseUnavailableError("the embedded database is closed");
    }
  }

  async #run<Row>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    return await this.#ask({ kind: "query", text, values }) as Row[];
  }

  #ask(request: Unnumbered<Request>): Promise<unknown[]> {
    if (this.#gone !== undefined) return Promise.reject(new DatabaseUnavailableError(this.#gone));
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<unknown[]>();
    this.#waiting.set(id, answer);
    this.#worker.postMessage({ id, ...request } satisfies Request);
    return answer.promise;
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if ("rows" in answer) return waiting?.resolve(answer.rows);
    const { message, code } = answer.failure;
    waiting?.reject(
      code === undefined
        // Not the statement's fault, then: the engine itself is in trouble.
        ? new DatabaseUnavailableError(`the embedded database failed: ${message}`)
        : new SqlError(message, code),
    );
  }
}
