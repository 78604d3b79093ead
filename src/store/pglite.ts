/**
 * The embedded database: PGlite in a data directory of ours, behind a worker.
 *
 * @module
 */

import { log } from "../log/logging.ts";
import { within } from "../time/within.ts";
import {
  type Database,
  DatabaseUnavailableError,
  DataDirectoryError,
  type Query,
} from "./database.ts";
import { lockDataDirectory } from "./data_directory.ts";
import { PgliteEngine } from "./pglite_engine.ts";

/** How often what is in the log alone is written where it belongs, in milliseconds. */
const CHECKPOINT_MS = 5 * 60_000;

/**
 * How long a directory that is locked is waited for when nothing else is said, in milliseconds: the process that
 * had it may be about to end, and a program that somebody starts holds its parent's files for a moment.
 */
const LOCK_WAIT_MS = 1_000;

/** How long a query waits for an engine that is opened again, in milliseconds. */
const REOPENING_WAIT_MS = 1_500;

/** How long after an attempt in vain to open the engine again the next one is made, in milliseconds. */
const REOPENING_PAUSE_MS = 1_000;

/** What only tests want otherwise. */
export interface PgliteOptions {
  /** How long to wait for a process that has the directory open, in milliseconds. */
  waitMs?: number;
  checkpointMs?: number;
}

/**
 * Opens the embedded database in `directory`, making both when they are absent: the database in
 * `pgdata`, and in `lock` what keeps other processes out. Making one takes some seconds.
 *
 * @param directory the data directory, which one process at a time may have open
 * @throws {DataDirectoryInUseError} when another has it open
 * @throws {DataDirectoryError} when it cannot be used: not ours to write, not a directory, …
 */
export async function openPglite(
  directory: string,
  { waitMs = LOCK_WAIT_MS, checkpointMs = CHECKPOINT_MS }: PgliteOptions = {},
): Promise<Database> {
  const lock = await lockDataDirectory(directory, waitMs);
  const database = new PgliteDatabase(`${directory}/pgdata`, lock);
  try {
    await database.open(checkpointMs);
  } catch (error) {
    await database.close();
    const message = error instanceof Error ? error.message : String(error);
    throw new DataDirectoryError(`cannot open the database in ${directory}: ${message}`);
  }
  return database;
}

class PgliteDatabase implements Database {
  readonly #directory: string;
  readonly #lock: Deno.FsFile;
  #engine: PgliteEngine | undefined;
  /** The attempt to open the engine that is under way. */
  #opening: Promise<PgliteEngine> | undefined;
  /** The last attempt that was in vain. */
  #failure: { readonly at: number; readonly error: unknown } | undefined;
  #checkpoints: ReturnType<typeof setInterval> | undefined;
  #idleSinceCheckpoint = true;
  /** Settles when the session that came last has ended. */
  #lastSession: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(directory: string, lock: Deno.FsFile) {
    this.#directory = directory;
    this.#lock = lock;
  }

  async open(checkpointMs: number): Promise<void> {
    this.#engine = await this.#openEngine();
    const timer = setInterval(() => this.#checkpoint(), checkpointMs);
    Deno.unrefTimer(timer);
    this.#checkpoints = timer;
  }

  async query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    this.#refuseWhenClosed();
    await this.#lastSession;
    const engine = await this.#liveEngine();
    return await engine.query<Row>(text, values);
  }

  async session<T>(work: (query: Query) => Promise<T>): Promise<T> {
    this.#refuseWhenClosed();
    const before = this.#lastSession;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lastSession = promise;
    await before;
    try {
      // This one to its end: another would know nothing of what was begun.
      const engine = await this.#liveEngine();
      try {
        return await work((text, values) => engine.query(text, values));
      } catch (error) {
        // What ending its connection does on a server.
        await engine.query("ROLLBACK; SELECT pg_advisory_unlock_all()").catch(() => {});
        throw error;
      }
    } finally {
      resolve();
    }
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      clearInterval(this.#checkpoints);
      await this.#lastSession;
      await this.#opening?.catch(() => {});
      await this.#engine?.close();
      this.#lock.close();
    })();
    return this.#closed;
  }

  #refuseWhenClosed(): void {
    if (this.#closed !== undefined) {
      throw new DatabaseUnavailableError("the embedded database is closed");
    }
  }

  /**
   * The engine; where it has died, it is opened again, which sets right what was under way.
   *
   * @throws {DatabaseUnavailableError} when that fails, or takes longer than a caller should wait
   */
  async #liveEngine(): Promise<PgliteEngine> {
    this.#idleSinceCheckpoint = false;
    if (this.#engine?.hasEnded === false) return this.#engine;
    const { at, error } = this.#failure ?? { at: -Infinity, error: undefined };
    if (this.#opening === undefined && performance.now() - at < REOPENING_PAUSE_MS) throw error;
    const opening = this.#opening ??= this.#openAgain();
    if (await within(REOPENING_WAIT_MS, opening)) return await opening;
    throw new DatabaseUnavailableError("the embedded database is being opened again");
  }

  async #openAgain(): Promise<PgliteEngine> {
    try {
      this.#engine = await this.#openEngine();
      log.info("the embedded database is open again");
      return this.#engine;
    } catch (error) {
      this.#failure = { at: performance.now(), error };
      throw error;
    } finally {
      this.#opening = undefined;
    }
  }

  #openEngine(): Promise<PgliteEngine> {
    return PgliteEngine.open(this.#directory, (error) => {
      log.error("the embedded database has ended, and is opened again when it is needed", {
        error: error.message,
      });
    });
  }

  /**
   * Has the engine write a checkpoint, if it had anything to do since the last one. By itself it writes
   * one when it is closed and not before: its log would grow for as long as this process runs, and all
   * of it would be gone through when it is opened after a crash.
   */
  async #checkpoint(): Promise<void> {
    if (this.#idleSinceCheckpoint) return;
    try {
      await this.query("CHECKPOINT");
      this.#idleSinceCheckpoint = true;
    } catch (error) {
      log.warn("the embedded database could not write a checkpoint", { error: `${error}` });
    }
  }
}
