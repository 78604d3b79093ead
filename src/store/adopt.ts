/**
 * Makes a database of the Go original one of ours: its tables are put aside, ours are made by the same
 * migrations as in an empty database, and the rows are copied. All of it in one transaction.
 *
 * @module
 */
import { type Database, DatabaseSetupError, type Query, sqlState } from "./database.ts";
import { migrateWithin, withMigrationLock } from "./migrate.ts";
import { lookAtSchema, notOurs, type Schema } from "./schema_owner.ts";

/** What was brought over, or would be. */
export interface Adoption {
  readonly database: string;
  readonly schema: string;
  readonly executors: number;
  readonly bindings: number;
  /** How many texts were null, and are empty now. */
  readonly nulls: number;
  /** The executors that had no registration token, and can register with none. */
  readonly without_token: readonly string[];
  /** The workspaces that had several defaults. */
  readonly defaults: readonly LostDefaults[];
  /** Under which names the original's tables are kept, from their own. */
  readonly kept_as: Readonly<Record<string, string>>;
}

/** A workspace that had several defaults: the one that was bound first stays. */
export interface LostDefaults {
  readonly workspace_id: string;
  readonly kept: string;
  readonly dropped: readonly string[];
}

/** The original's tables, and under which names they are kept. */
const TABLES = {
  executors: "original_executors",
  workspace_executors: "original_workspace_executors",
  schema_migrations: "original_schema_migrations",
} as const;

/** How long a table is waited for that somebody else uses, in milliseconds. */
const LOCK_TIMEOUT_MS = 5_000;

const LOCK_NOT_AVAILABLE = "55P03";

/** Undoes the transaction of a dry run, and carries out what it would have done. */
class DryRun extends Error {
  constructor(readonly adoption: Adoption) {
    super("a dry run");
  }
}

/**
 * Adopts the database. Nothing of it is changed unless all of it can be.
 *
 * @param options with `isDryRun`, it is all undone at the end
 * @returns `undefined` when the database is ours already
 * @throws {DatabaseSetupError} when it is neither the original's nor ours, or the role may not do it
 * @throws {MigrationFailedError}
 * @throws {DatabaseUnavailableError}
 */
export async function adopt(
  database: Database,
  { isDryRun = false }: { isDryRun?: boolean } = {},
): Promise<Adoption | undefined> {
  try {
    return await withMigrationLock(database, async (query) => {
      const schema = await lookAtSchema(query);
      if (schema.owner === "us") return undefined;
      if (schema.owner === "another") throw notOurs(schema);
      if (schema.owner === "nobody") {
        throw new DatabaseSetupError(
          `the database ${schema.database} has no tables of the Go original in the schema ` +
            `${schema.schema}: the gateway makes its own when it starts`,
        );
      }
      const adoption = await bringOver(query, schema);
      if (isDryRun) throw new DryRun(adoption);
      return adoption;
    });
  } catch (error) {
    if (error instanceof DryRun) return error.adoption;
    if (sqlState(error) !== LOCK_NOT_AVAILABLE) throw error;
    throw new DatabaseSetupError(
      "somebody uses the tables of the Go original: stop it first, and whatever else reads them",
    );
  }
}

async function bringOver(query: Query, schema: Schema): Promise<Adoption> {
  await become(query, schema);
  await query(
    `SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS};
     LOCK TABLE ${Object.keys(TABLES).join(", ")} IN ACCESS EXCLUSIVE MODE`,
  );
  for (const [name, kept] of Object.entries(TABLES)) await putAside(query, name, kept);
  await migrateWithin(query);
  const executors = await copyExecutors(query);
  const bindings = await copyBindings(query);
  return {
    database: schema.database,
    schema: schema.schema!,
    ...executors,
    ...bindings,
    kept_as: TABLES,
  };
}

/** Goes on as the owner of the tables, so that the new ones are the same role's. */
async function become(query: Query, { role, tableOwner, schema }: Schema): Promise<void> {
  const [row] = await query<{ may: boolean; creates: boolean }>(
    `SELECT pg_has_role(relowner, 'MEMBER') AS may,
       has_schema_privilege(relowner, relnamespace, 'USAGE')
         AND has_schema_privilege(relowner, relnamespace, 'CREATE') AS creates
     FROM pg_class WHERE oid = to_regclass('schema_migrations')`,
  );
  const { may, creates } = row!;
  if (!may) {
    throw new DatabaseSetupError(
      `the tables of the Go original are the role ${tableOwner}'s: adopt them as that role ` +
        `or a superuser, not as ${role}`,
    );
  }
  if (!creates) {
    throw new DatabaseSetupError(
      `the role ${tableOwner}, whose the tables are, may not make tables in the schema ${schema}: ` +
        `have the owner of the schema run GRANT USAGE, CREATE ON SCHEMA ${schema} TO ${tableOwner}`,
    );
  }
  // Whoever the role is, `$user` in the search path must not lead elsewhere.
  await query(`SET LOCAL ROLE ${tableOwner}; SET LOCAL search_path = ${schema}`);
}

/** Gives a table, its constraints and indexes, whose names ours are to have, others. */
async function putAside(query: Query, name: string, kept: string): Promise<void> {
  const [row] = await query<{ taken: boolean }>(
    `SELECT to_regclass('${kept}') IS NOT NULL AS taken`,
  );
  if (row!.taken) {
    throw new DatabaseSetupError(
      `there is a table ${kept} already, under which ${name} is to be kept: rename or drop it`,
    );
  }
  // A constraint's index goes by its name, and is renamed with it.
  const renamings = await query<{ statement: string }>(
    `SELECT format('ALTER TABLE ${name} RENAME CONSTRAINT %I TO %I', conname, 'original_' || conname)
       AS statement
     FROM pg_constraint WHERE conrelid = to_regclass('${name}') AND contype IN ('c', 'f', 'p', 'u')
     UNION ALL
     SELECT format('ALTER INDEX %I RENAME TO %I', relname, 'original_' || relname)
     FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
     WHERE indrelid = to_regclass('${name}')
       AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid AND conrelid = indrelid)`,
  );
  for (const { statement } of renamings) await query(statement);
  await query(`ALTER TABLE ${name} RENAME TO ${kept}`);
}

/** Texts of ours that are never null. The original keeps an empty one as null. */
const TEXTS = ["user_id", "display_name", "description", "default_cwd"] as const;

async function copyExecutors(
  query: Query,
): Promise<Pick<Adoption, "executors" | "nulls" | "without_token">> {
  const has = await columnsOf(query, TABLES.executors);
  const text = (name: string) => has(name) ? `coalesce(${name}, '')` : "''";
  const value = (name: string, otherwise: string) =>
    has(name) ? `coalesce(${name}, ${otherwise})` : otherwise;
  const hash = value("registration_token_hash", "''");
  // The hash of nothing that anybody knows, where there is none: it is judged as any other.
  await query(
    `INSERT INTO executors (exe_id, ${TEXTS.join(", ")}, registration_token_hash, registered_at,
       last_seen_at)
     SELECT exe_id, ${TEXTS.map(text).join(", ")},
       CASE WHEN ${hash} = '' THEN '${unmatchedHash()}' ELSE ${hash} END,
       ${value("registered_at", "now()")}, ${value("last_seen_at", "NULL")}
     FROM ${TABLES.executors}`,
  );
  const nulls = TEXTS.filter(has).map((name) => `count(*) FILTER (WHERE ${name} IS NULL)`);
  const [counts] = await query<{ executors: number; nulls: number }>(
    `SELECT count(*)::int AS executors, (${["0", ...nulls].join(" + ")})::int AS nulls
     FROM ${TABLES.executors}`,
  );
  const without = await query<{ exe_id: string }>(
    `SELECT exe_id FROM ${TABLES.executors} WHERE ${hash} = '' ORDER BY exe_id`,
  );
  return { ...counts!, without_token: without.map(({ exe_id }) => exe_id) };
}

async function copyBindings(query: Query): Promise<Pick<Adoption, "bindings" | "defaults">> {
  const has = await columnsOf(query, TABLES.workspace_executors);
  const boundAt = has("created_at") ? "coalesce(created_at, now())" : "now()";
  const isDefault = has("is_default") ? "coalesce(is_default, false)" : "false";
  const source = `(SELECT workspace_id, exe_id, ${boundAt} AS bound_at, ${isDefault} AS is_default
    FROM ${TABLES.workspace_executors}) AS original`;
  // Of several defaults in one workspace the first stays. Our order of binding follows that of the rows.
  await query(
    `INSERT INTO workspace_executors (workspace_id, exe_id, is_default, bound_at)
     SELECT workspace_id, exe_id,
       is_default AND 1 = row_number()
         OVER (PARTITION BY workspace_id, is_default ORDER BY bound_at, exe_id),
       bound_at
     FROM ${source} ORDER BY bound_at, workspace_id, exe_id`,
  );
  const [counts] = await query<{ bindings: number }>(
    `SELECT count(*)::int AS bindings FROM ${TABLES.workspace_executors}`,
  );
  const defaults = await query<LostDefaults>(
    `SELECT workspace_id, ids[1] AS kept, ids[2:] AS dropped FROM (
       SELECT workspace_id, array_agg(exe_id ORDER BY bound_at, exe_id) AS ids
       FROM ${source} WHERE is_default GROUP BY workspace_id) AS several
     WHERE cardinality(ids) > 1 ORDER BY workspace_id`,
  );
  return { ...counts!, defaults };
}

/** Tells whether the table has a column. Later versions of the original have others. */
async function columnsOf(query: Query, table: string): Promise<(name: string) => boolean> {
  const rows = await query<{ name: string }>(
    `SELECT attname AS name FROM pg_attribute
     WHERE attrelid = to_regclass('${table}') AND attnum > 0 AND NOT attisdropped`,
  );
  const names = new Set(rows.map(({ name }) => name));
  return (name) => names.has(name);
}

/** A bcrypt hash that was made of nothing. */
function unmatchedHash(): string {
  const alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  const digits = [...crypto.getRandomValues(new Uint8Array(52))].map((byte) => alphabet[byte & 63]);
  // The last of the salt's 22 and of the hash's 31 digits has bits to spare, which have to be 0.
  digits[21] = ".";
  return `$2a$10$${digits.join("")}.`;
}
