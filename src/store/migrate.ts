/**
 * Brings a database's schema up to date.
 *
 * @module
 */

import { log } from "../log/logging.ts";
import {
  type Database,
  DatabaseUnavailableError,
  INSUFFICIENT_PRIVILEGE,
  type Query,
  sqlState,
} from "./database.ts";
import { type Migration, migrations as ours } from "./migrations.ts";
import {
  lookAtSchema,
  mayNotChange,
  mayNotCreate,
  mayNotUse,
  noSchema,
  notOurs,
  type Schema,
} from "./schema_owner.ts";

/** A migration failed, and nothing of it was kept. The message names its file. */
export class MigrationFailedError extends Error {
  override name = "MigrationFailedError";
}

/** The database was migrated by a newer program than this one. */
export class DatabaseTooNewError extends Error {
  override name = "DatabaseTooNewError";
}

/** The advisory lock that keeps two gateways from migrating at once; any number will do. */
const LOCK = 5_294_103_867;

/** A migration may rewrite tables; in milliseconds. */
const STATEMENT_TIMEOUT_MS = 10 * 60_000;

/** How long another gateway that migrates is waited for, in milliseconds. */
const WAIT_MS = 10 * 60_000;

/** How often it is asked whether that one is ready, in milliseconds. */
const ASK_MS = 150;

/**
 * Applies the migrations that `database` does not have yet, in order, each in a transaction of its
 * own. Gateways that start together take turns. A database that is up to date is only read.
 *
 * @param migrations those that this program knows, in order
 * @throws {DatabaseTooNewError} when the database has one that this program does not know
 * @throws {MigrationFailedError} when one fails; those before it stay applied
 * @throws {DatabaseSetupError} when the tables are another program's, or the role may not use or make them
 * @throws {DatabaseUnavailableError}
 */
export async function migrate(
  database: Database,
  migrations: readonly Migration[] = ours,
): Promise<void> {
  const { pending, schema } = await database.session((query) => look(query, migrations));
  let isPending = pending.length > 0;
  while (isPending) {
    isPending = await withMigrationLock(database, async (query) => {
      const { pending: [next, ...rest], schema } = await look(query, migrations);
      if (next !== undefined) await apply(query, next, schema);
      return rest.length > 0;
    });
  }
  await refuseUnusable(database, schema, migrations);
}

/**
 * Runs `work` in a transaction in which no gateway migrates the database. The lock is the transaction's:
 * behind a pooler a session's own would stay with a connection that goes to others.
 *
 * @param work what it throws undoes the transaction
 */
export async function withMigrationLock<T>(
  database: Database,
  work: (query: Query) => Promise<T>,
): Promise<T> {
  const start = performance.now();
  for (let isFirst = true;; isFirst = false) {
    const done = await database.session(async (query) => {
      await query(`BEGIN; SET LOCAL statement_timeout = ${STATEMENT_TIMEOUT_MS}`);
      // Not waited for in the server: behind a pooler each who waits would hold a connection of the few.
      const [row] = await query<{ locked: boolean }>(
        `SELECT pg_try_advisory_xact_lock(${LOCK}) AS locked`,
      );
      const done = row!.locked ? { result: await work(query) } : undefined;
      await query("COMMIT");
      return done;
    }, { statementTimeoutMs: STATEMENT_TIMEOUT_MS });
    if (done !== undefined) return done.result;
    if (performance.now() - start > WAIT_MS) {
      throw new DatabaseUnavailableError(
        `another gateway has been migrating the database for ${WAIT_MS / 60_000} minutes`,
      );
    }
    if (isFirst) log.info("waiting for another gateway that migrates the database");
    await new Promise((resolve) => setTimeout(resolve, ASK_MS * (0.5 + Math.random())));
  }
}

/** Applies what is missing in a transaction that is under way. */
export async function migrateWithin(query: Query): Promise<void> {
  const { schema, pending } = await look(query, ours);
  for (const migration of pending) await apply(query, migration, schema);
}

/** What there is and what is missing. */
async function look(
  query: Query,
  migrations: readonly Migration[],
): Promise<{ schema: Schema; pending: Migration[] }> {
  const schema = await lookAtSchema(query);
  if (schema.owner === "another" || schema.owner === "original") throw notOurs(schema);
  const applied = schema.owner === "us" ? await appliedVersions(query, schema) : new Map();
  refuseNewer(applied, migrations, schema);
  return { schema, pending: migrations.filter(({ version }) => !applied.has(version)) };
}

/** The applied migrations, from version to file. */
async function appliedVersions(query: Query, schema: Schema): Promise<Map<number, string>> {
  try {
    const rows = await query<{ version: number; name: string }>(
      "SELECT version, name FROM schema_migrations",
    );
    return new Map(rows.map(({ version, name }) => [version, name]));
  } catch (error) {
    if (sqlState(error) !== INSUFFICIENT_PRIVILEGE) throw error;
    throw mayNotUse(schema, "it may not read schema_migrations");
  }
}

function refuseNewer(
  applied: Map<number, string>,
  migrations: readonly Migration[],
  schema: Schema,
): void {
  const known = new Map(migrations.map(({ version, file }) => [version, file]));
  for (const [version, name] of applied) {
    const file = known.get(version);
    if (file === undefined) {
      throw new DatabaseTooNewError(
        `the database has migration ${name}, which this version of the gateway does not know: ` +
          "run the version that applied it, or a newer one",
      );
    }
    if (file !== name) throw notOurs({ ...schema, owner: "another" });
  }
}

async function apply(
  query: Query,
  { version, file, sql }: Migration,
  schema: Schema,
): Promise<void> {
  if (schema.schema === null) throw noSchema(schema);
  if (schema.owner === "nobody" && !schema.mayCreate) throw mayNotCreate(schema);
  try {
    if (schema.owner === "nobody") await query(OUR_TABLE);
    // So that all of them are in one place.
    else await query(`SET LOCAL search_path = ${schema.tableSchema}`);
    await query(sql);
    await query("INSERT INTO schema_migrations (version, name) VALUES ($1::integer, $2::text)", [
      version,
      file,
    ]);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (sqlState(error) === INSUFFICIENT_PRIVILEGE) {
      if (!schema.mayCreate) throw mayNotCreate(schema);
      throw mayNotChange(schema, lastPart(message));
    }
    if (error instanceof DatabaseUnavailableError) throw error;
    const isTaken = sqlState(error) === DUPLICATE_TABLE
      ? `; the schema ${schema.schema} has tables of another program: see "A schema of its own" in ` +
        "docs/database.md"
      : "";
    throw new MigrationFailedError(`migration ${file} failed: ${message}${isTaken}`, {
      cause: error,
    });
  }
}

const OUR_TABLE = `CREATE TABLE IF NOT EXISTS schema_migrations (
  version integer PRIMARY KEY,
  name text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
)`;

const DUPLICATE_TABLE = "42P07";

/**
 * Refuses a role that may not use the tables. That they take no writes at all just now, as on a standby, is
 * no reason not to start.
 */
async function refuseUnusable(
  database: Database,
  schema: Schema,
  migrations: readonly Migration[],
): Promise<void> {
  const tables = migrations.flatMap(({ sql }) =>
    [...sql.matchAll(/^CREATE TABLE (\w+)/gm)].map(([, name]) => name!)
  );
  const rows = await database.query<{ name: string }>(
    `SELECT name FROM unnest($1::text[]) AS name
     CROSS JOIN LATERAL (SELECT to_regclass(name)::oid AS id) AS found
     WHERE NOT (has_table_privilege(id, 'SELECT') AND has_table_privilege(id, 'INSERT')
       AND has_table_privilege(id, 'UPDATE') AND has_table_privilege(id, 'DELETE'))`,
    [tables],
  );
  if (rows.length === 0) return;
  throw mayNotUse(schema, `it lacks rights on ${rows.map(({ name }) => name).join(", ")}`);
}

/** What the server said, without what we say before it. */
function lastPart(message: string): string {
  return message.slice(message.lastIndexOf(": ") + 2);
}
