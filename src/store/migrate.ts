/**
 * Brings a database's schema up to date.
 *
 * @module
 */

import type { Database, Query } from "./database.ts";
import { DatabaseUnavailableError } from "./database.ts";
import { type Migration, migrations as ours } from "./migrations.ts";

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

/** A migration may rewrite tables, and may have to wait for another gateway's; in milliseconds. */
const STATEMENT_TIMEOUT_MS = 10 * 60_000;

/**
 * Applies the migrations that `database` does not have yet, in order, each in a transaction of its
 * own. Gateways that start together wait for one another.
 *
 * @param migrations those that this program knows, in order
 * @throws {DatabaseTooNewError} when the database has one that this program does not know
 * @throws {MigrationFailedError} when one fails; those before it stay applied
 * @throws {DatabaseUnavailableError}
 */
export async function migrate(
  database: Database,
  migrations: readonly Migration[] = ours,
): Promise<void> {
  await database.session(async (query) => {
    await query(`SELECT pg_advisory_lock(${LOCK})`);
    const applied = await appliedVersions(query);
    refuseNewer(applied, migrations);
    for (const migration of migrations) {
      if (!applied.has(migration.version)) await apply(query, migration);
    }
    await query(`SELECT pg_advisory_unlock(${LOCK})`);
  }, { statementTimeoutMs: STATEMENT_TIMEOUT_MS });
}

/** The applied migrations, from version to file. */
async function appliedVersions(query: Query): Promise<Map<number, string>> {
  // Asked first, because a role that may not create tables may still run an up-to-date schema.
  const [table] = await query<{ exists: boolean }>(
    "SELECT to_regclass('schema_migrations') IS NOT NULL AS exists",
  );
  if (!table?.exists) {
    await query(`CREATE TABLE schema_migrations (
      version integer PRIMARY KEY,
      name text NOT NULL,
      applied_at timestamptz NOT NULL DEFAULT now()
    )`);
  }
  const rows = await query<{ version: number; name: string }>(
    "SELECT version, name FROM schema_migrations",
  );
  return new Map(rows.map(({ version, name }) => [version, name]));
}

function refuseNewer(applied: Map<number, string>, migrations: readonly Migration[]): void {
  const known = new Set(migrations.map(({ version }) => version));
  const unknown = [...applied].find(([version]) => !known.has(version));
  if (unknown !== undefined) {
    throw new DatabaseTooNewError(
      `the database has migration ${
        unknown[1]
      }, which this version of the gateway does not know: ` +
        "run the version that applied it, or a newer one",
    );
  }
}

async function apply(query: Query, { version, file, sql }: Migration): Promise<void> {
  try {
    await query("BEGIN");
    await query(sql);
    await query("INSERT INTO schema_migrations (version, name) VALUES ($1::integer, $2::text)", [
      version,
      file,
    ]);
    await query("COMMIT");
  } catch (error) {
    if (error instanceof DatabaseUnavailableError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new MigrationFailedError(`migration ${file} failed: ${message}`, { cause: error });
  }
}
