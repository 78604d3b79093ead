/**
 * What became of registrations, behind a gateway's back.
 *
 * @module
 */
import type { Database } from "../../src/store/database.ts";
import { openPglite } from "../../src/store/pglite.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import type { StoreOptions } from "../../src/store/store.ts";

/** Works with a database as no gateway does; an embedded one must not be open anywhere. */
export async function withDatabase<T>(
  { databaseUrl, dataDir }: StoreOptions,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const database = databaseUrl === undefined
    ? await openPglite(dataDir)
    : await openPostgres(databaseUrl);
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** Lets so many minutes pass for all that the database knows of executors; see {@linkcode withDatabase}. */
export async function letMinutesPass(options: StoreOptions, minutes: number): Promise<void> {
  await withDatabase(options, (database) =>
    database.query(
      `WITH aged AS (
         UPDATE registrations SET last_used_at = last_used_at - make_interval(mins => $1::int),
           dialled_at = dialled_at - make_interval(mins => $1::int)
       )
       UPDATE executors SET last_seen_at = last_seen_at - make_interval(mins => $1::int)`,
      [minutes],
    ));
}
