/**
 * The store: executors, and the workspaces that they are bound to.
 *
 * @module
 */

import type { ConnectedExecutor, Executor, ExecutorKind, LastKnown } from "../model.ts";
import { type Database, sqlState } from "./database.ts";
import { migrate } from "./migrate.ts";
import { ExecutorRecords } from "./executor_records.ts";
import { Outages } from "./outages.ts";
import { Registrations } from "./registrations.ts";
import { WatchedEndings } from "./watched_endings.ts";

/** Where the store keeps its data. */
export interface StoreOptions {
  /** A PostgreSQL server; without one, the embedded database is used. */
  databaseUrl?: string;
  /** The directory of the embedded database. */
  dataDir: string;
  /** How long to wait for a process that has that directory open, in milliseconds; 0 when absent. */
  dataDirWaitMs?: number;
  /** One that is open already, in place of either; it stays open when the store is closed. */
  database?: Database;
}

/** What a new executor is made of: the store adds the times. */
export type NewExecutor = Pick<
  Executor,
  "exe_id" | "user_id" | "display_name" | "description" | "default_cwd"
>;

/** There is already an executor with this id. */
export class ExecutorExistsError extends Error {
  override name = "ExecutorExistsError";
}

/** There is no executor with this id. */
export class ExecutorNotFoundError extends Error {
  override name = "ExecutorNotFoundError";
}

/** A text has a NUL character or half a surrogate pair, which PostgreSQL cannot keep. */
export class InvalidTextError extends Error {
  override name = "InvalidTextError";
}

/**
 * Executors and workspace bindings in PostgreSQL, on a server or embedded. The database is private:
 * callers have these methods and no way around them.
 *
 * Every method throws {@linkcode InvalidTextError} for a text that PostgreSQL cannot keep, and
 * `DatabaseUnavailableError` when the database does not answer.
 */
export class Store {
  /** The statements sent so far, those that failed, and the time they took together. */
  readonly statistics = { queries: 0, errors: 0, seconds: 0 };
  readonly registrations = new Registrations((text, values = []) => this.#query(text, values));
  readonly endings = new WatchedEndings((text, values = []) => this.#query(text, values));
  readonly executors = new ExecutorRecords((text, values = []) => this.#query(text, values));
  readonly #db: Database;
  readonly #outages = new Outages();

  private constructor(db: Database) {
    this.#db = db;
  }

  /**
   * Opens the database and brings its schema up to date.
   *
   * @throws {DatabaseUnavailableError} when the PostgreSQL server does not answer
   * @throws {DataDirectoryInUseError} when another process has the data directory
   * @throws {DataDirectoryError} when the data directory cannot be used
   * @throws {DatabaseTooNewError} when a newer gateway has migrated the database
   * @throws {DatabaseSetupError} when it is not set up for us, or is another program's
   * @throws {MigrationFailedError} when the schema cannot be brought up to date
   */
  static async open(options: StoreOptions): Promise<Store> {
    const db = await openDatabase(options);
    try {
      await migrate(db);
    } catch (error) {
      await db.close();
      throw error;
    }
    return new Store(db);
  }

  /**
   * Adds an executor.
   *
   * @param registrationTokenHash the bcrypt hash of its registration token
   * @param registrationTokenDigest see `tokenDigest`; without one, bcrypt judges the token
   * @throws {ExecutorExistsError}
   */
  async createExecutor(
    executor: NewExecutor,
    registrationTokenHash: string,
    registrationTokenDigest?: string,
  ): Promise<void> {
    const { exe_id, user_id, display_name, description, default_cwd } = executor;
    try {
      await this.#query(
        `INSERT INTO executors
           (exe_id, user_id, display_name, description, default_cwd,
            registration_token_hash, registration_token_digest)
         VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text)`,
        [
          ...[exe_id, user_id, display_name, description, default_cwd],
          ...[registrationTokenHash, registrationTokenDigest ?? null],
        ],
      );
    } catch (error) {
      if (sqlState(error) !== UNIQUE_VIOLATION) throw error;
      throw new ExecutorExistsError(`executor ${exe_id} exists already`);
    }
  }

  /** The executor, or `undefined` when there is none with this id. */
  async getExecutor(exeId: string): Promise<Executor | undefined> {
    const [row] = await this.#query<ExecutorRow>(
      `SELECT exe_id, user_id, display_name, description, default_cwd, registered_at, last_seen_at
       FROM executors WHERE exe_id = $1::text`,
      [exeId],
    );
    if (row === undefined) return undefined;
    return { ...withLastSeen(row), registered_at: row.registered_at.toISOString() };
  }

  /** What is known of an executor, or `undefined` when there is none with this id. */
  async getLastKnown(exeId: string): Promise<LastKnown | undefined> {
    const [row] = await this.#query<LastKnownRow>(
      `SELECT display_name, last_seen_at, registration_kind AS kind
       FROM executors WHERE exe_id = $1::text`,
      [exeId],
    );
    if (row === undefined) return undefined;
    const { kind, ...rest } = withLastSeen(row);
    return { ...rest, ...kind !== null && { kind } };
  }

  /** The bcrypt hash of the executor's registration token, or `undefined` for an unknown one. */
  async getRegistrationTokenHash(exeId: string): Promise<string | undefined> {
    const [row] = await this.#query<{ registration_token_hash: string }>(
      "SELECT registration_token_hash FROM executors WHERE exe_id = $1::text",
      [exeId],
    );
    return row?.registration_token_hash;
  }

  /**
   * The digest of the executor's registration token, if it has one, and the bcrypt hash.
   *
   * @returns `undefined` for an unknown executor
   */
  async getRegistrationTokenDigest(
    exeId: string,
  ): Promise<{ digest?: string; hash: string } | undefined> {
    const [row] = await this.#query<{ digest: string | null; hash: string }>(
      `SELECT registration_token_digest AS digest, registration_token_hash AS hash
       FROM executors WHERE exe_id = $1::text`,
      [exeId],
    );
    return row && { digest: row.digest ?? undefined, hash: row.hash };
  }

  /**
   * Keeps the digest of the executor's registration token, if it has none.
   *
   * @param hash the bcrypt hash that the token was checked against: nothing is kept if it is another now
   */
  async addRegistrationTokenDigest(exeId: string, hash: string, digest: string): Promise<void> {
    await this.#query(
      `UPDATE executors SET registration_token_digest = $3::text
       WHERE exe_id = $1::text AND registration_token_hash = $2::text
         AND registration_token_digest IS NULL`,
      [exeId, hash, digest],
    );
  }

  /** Removes the executor and its bindings. Returns whether there was one. */
  async deleteExecutor(exeId: string): Promise<boolean> {
    const rows = await this.#query(
      "DELETE FROM executors WHERE exe_id = $1::text RETURNING exe_id",
      [exeId],
    );
    return rows.length > 0;
  }

  /**
   * Binds the executor to the workspace, or changes whether it is the default there: it keeps its
   * place in the order. A new default takes the place of the one before it.
   *
   * @throws {ExecutorNotFoundError}
   */
  async bindWorkspaceExecutor(
    workspaceId: string,
    exeId: string,
    isDefault: boolean,
  ): Promise<void> {
    try {
      if (isDefault) await this.#outages.watch(BIND, () => this.#bindDefault(workspaceId, exeId));
      else await this.#query(BIND, [workspaceId, exeId, false]);
    } catch (error) {
      if (sqlState(error) !== FOREIGN_KEY_VIOLATION) throw error;
      throw new ExecutorNotFoundError(`there is no executor ${exeId}`);
    }
  }

  /** Removes the binding. Returns whether there was one. */
  async unbindWorkspaceExecutor(workspaceId: string, exeId: string): Promise<boolean> {
    const rows = await this.#query(
      `DELETE FROM workspace_executors
       WHERE workspace_id = $1::text AND exe_id = $2::text RETURNING exe_id`,
      [workspaceId, exeId],
    );
    return rows.length > 0;
  }

  /** Whether the executor is bound to the workspace. */
  async isExecutorBound(workspaceId: string, exeId: string): Promise<boolean> {
    const rows = await this.#query(
      "SELECT 1 FROM workspace_executors WHERE workspace_id = $1::text AND exe_id = $2::text",
      [workspaceId, exeId],
    );
    return rows.length > 0;
  }

  /** Every executor bound to the workspace, in the order of binding. */
  async listWorkspaceExecutors(workspaceId: string): Promise<ConnectedExecutor[]> {
    const rows = await this.#query<ConnectedRow>(
      `SELECT exe_id, display_name AS name, description, default_cwd, is_default, last_seen_at
       FROM workspace_executors JOIN executors USING (exe_id)
       WHERE workspace_id = $1::text
       ORDER BY binding_order`,
      [workspaceId],
    );
    return rows.map(withLastSeen);
  }

  /**
   * Those of the connected executors that are bound to the workspace, in the order of binding.
   *
   * @param connectedIds the ids of the executors that are connected now
   */
  async connectedExecutorsForWorkspace(
    workspaceId: string,
    connectedIds: readonly string[],
  ): Promise<ConnectedExecutor[]> {
    if (connectedIds.length === 0) return [];
    const rows = await this.#query<ConnectedRow>(
      `SELECT exe_id, display_name AS name, description, default_cwd, is_default, last_seen_at
       FROM workspace_executors JOIN executors USING (exe_id)
       WHERE workspace_id = $1::text AND exe_id = ANY ($2::text[])
       ORDER BY binding_order`,
      [workspaceId, connectedIds],
    );
    return rows.map(withLastSeen);
  }

  /** Notes that the executors were seen now. Returns the ids of those that exist. */
  async updateLastSeen(...exeIds: string[]): Promise<string[]> {
    return await this.registrations.noteSeen(exeIds.map((exe_id) => ({ exe_id })));
  }

  /**
   * Keeps that a turn was revoked, for `seconds` by the database's clock, and until `exp` if that is
   * later; never for shorter than it was kept before.
   *
   * @param exp in unix seconds
   * @returns until when, in unix seconds
   */
  async revokeTurn(turnId: string, seconds: number, exp = 0): Promise<number> {
    const [row] = await this.#query<{ exp: number }>(
      `INSERT INTO revoked_turns (turn_id, exp) VALUES (
         $1::text,
         greatest(ceil(extract(epoch FROM now()))::bigint + $2::bigint, $3::bigint))
       ON CONFLICT (turn_id) DO UPDATE
       SET exp = greatest(revoked_turns.exp, excluded.exp), revoked_at = now()
       RETURNING exp::float8 AS exp`,
      [turnId, seconds, exp],
    );
    return row!.exp;
  }

  /** Whether the turn was revoked, and that was not forgotten yet. */
  async isTurnRevoked(turnId: string): Promise<boolean> {
    const rows = await this.#query("SELECT 1 FROM revoked_turns WHERE turn_id = $1::text", [
      turnId,
    ]);
    return rows.length > 0;
  }

  /** The turns that are revoked now, those revoked last first, at most `limit` of them. */
  async revokedTurns(limit: number): Promise<{ turn_id: string; exp: number }[]> {
    return await this.#query(
      `SELECT turn_id, exp::float8 AS exp FROM revoked_turns
       ORDER BY revoked_at DESC LIMIT $1::int`,
      [limit],
    );
  }

  /**
   * The turns that were revoked in the last `seconds`, by whichever process.
   *
   * @throws {DatabaseReadOnlyError} by a database that takes no writes: another may have taken over, and
   * what is revoked there would not be seen
   */
  async turnsRevokedLately(seconds: number): Promise<{ turn_id: string; exp: number }[]> {
    return await this.#query(
      `WITH writable AS (UPDATE revoked_turns SET exp = exp WHERE false)
       SELECT turn_id, exp::float8 AS exp FROM revoked_turns
       WHERE revoked_at > now() - make_interval(secs => $1::float8)`,
      [seconds],
    );
  }

  /**
   * Forgets the revocations whose time is over by two clocks, the database's and the caller's: one that
   * jumps must give no turn back.
   *
   * @param now of the caller's clock, in unix seconds
   */
  async pruneRevokedTurns(now: number): Promise<void> {
    await this.#query(
      `DELETE FROM revoked_turns
       WHERE exp < least(floor(extract(epoch FROM now()))::bigint, $1::bigint)`,
      [now],
    );
  }

  /**
   * Returns when the database has answered, and takes writes.
   *
   * @throws {DatabaseReadOnlyError}
   */
  async ping(): Promise<void> {
    // It changes nothing, and is refused wherever a change would be.
    await this.#query("UPDATE executors SET last_seen_at = last_seen_at WHERE false", []);
  }

  /** Waits for what is in hand and closes the database. Idempotent. */
  async close(): Promise<void> {
    await this.#db.close();
  }

  /** Two statements, in one transaction: the old default has to end before the new one begins. */
  async #bindDefault(workspaceId: string, exeId: string): Promise<void> {
    refuseInvalidText([workspaceId, exeId]);
    await this.#db.session(async (query) => {
      // Should we be cut off in between, the server gives the lock up by itself.
      await query("BEGIN; SET LOCAL idle_in_transaction_session_timeout = '10s'");
      // One change of default at a time in each workspace, or two of them would both find the same
      // one to end, and the second to finish would break the rule of one default.
      await query("SELECT pg_advisory_xact_lock(hashtextextended($1::text, 0))", [workspaceId]);
      await query(
        `UPDATE workspace_executors SET is_default = false
         WHERE workspace_id = $1::text AND is_default AND exe_id <> $2::text`,
        [workspaceId, exeId],
      );
      await query(BIND, [workspaceId, exeId, true]);
      await query("COMMIT");
    });
  }

  async #query<Row>(text: string, values: readonly unknown[]): Promise<Row[]> {
    refuseInvalidText(values);
    const started = performance.now();
    this.statistics.queries++;
    try {
      return await this.#outages.watch(text, () => this.#db.query<Row>(text, values));
    } catch (error) {
      this.statistics.errors++;
      throw error;
    } finally {
      this.statistics.seconds += (performance.now() - started) / 1000;
    }
  }
}

const UNIQUE_VIOLATION = "23505";
const FOREIGN_KEY_VIOLATION = "23503";

const BIND = `INSERT INTO workspace_executors (workspace_id, exe_id, is_default)
  VALUES ($1::text, $2::text, $3::boolean)
  ON CONFLICT (workspace_id, exe_id) DO UPDATE SET is_default = excluded.is_default`;

interface ExecutorRow extends Omit<Executor, "registered_at" | "last_seen_at"> {
  registered_at: Date;
  last_seen_at: Date | null;
}

interface LastKnownRow extends Omit<LastKnown, "last_seen_at" | "kind"> {
  last_seen_at: Date | null;
  kind: ExecutorKind | null;
}

interface ConnectedRow extends Omit<ConnectedExecutor, "last_seen_at"> {
  last_seen_at: Date | null;
}

/** The row with its `last_seen_at` as the DTOs have it: absent, not null, when never seen. */
function withLastSeen<Row extends { last_seen_at: Date | null }>(
  { last_seen_at, ...rest }: Row,
): Omit<Row, "last_seen_at"> & { last_seen_at?: string } {
  return last_seen_at === null ? rest : { ...rest, last_seen_at: last_seen_at.toISOString() };
}

/** Checked here because the drivers would silently store U+FFFD for half a surrogate pair. */
function refuseInvalidText(values: readonly unknown[]): void {
  for (const value of values.flat()) {
    if (typeof value === "string" && (value.includes("\0") || !value.isWellFormed())) {
      throw new InvalidTextError("a text has a NUL character or half a surrogate pair");
    }
  }
}

/** Only the engine that is used is loaded: the other would cost start-up time. */
async function openDatabase(
  { databaseUrl, dataDir, dataDirWaitMs, database }: StoreOptions,
): Promise<Database> {
  if (database !== undefined) {
    return {
      query: (text, values) => database.query(text, values),
      session: (work, options) => database.session(work, options),
      close: () => Promise.resolve(),
    };
  }
  if (databaseUrl !== undefined) {
    const { openPostgres } = await import("./postgres.ts");
    return await openPostgres(databaseUrl);
  }
  const { openPglite } = await import("./pglite.ts");
  return await openPglite(dataDir, { waitMs: dataDirWaitMs });
}
