/**
 * Whose the tables in a database are. Other programs, too, keep a table `schema_migrations`: the Go
 * original, and several tools that migrate databases.
 *
 * @module
 */
import { DatabaseSetupError, type Query } from "./database.ts";

/** The Go original's tables are in the database, and `db adopt` has to bring them over. */
export class OriginalDatabaseError extends DatabaseSetupError {
  override name = "OriginalDatabaseError";
}

/** Where the connection's unqualified names lead, and what is there. Names are quoted as SQL wants them. */
export interface Schema {
  /** The role that we are. */
  readonly role: string;
  readonly database: string;
  /** Where tables are made: the first schema of the search path that is there; `null` when none is. */
  readonly schema: string | null;
  readonly searchPath: string;
  /** Whether the role may make tables there. */
  readonly mayCreate: boolean;
  /** Whose the table `schema_migrations` is. */
  readonly owner: "nobody" | "us" | "original" | "another";
  /** Where that table is: maybe in a later schema of the search path. `null` where there is none. */
  readonly tableSchema: string | null;
  /** The role that owns it. */
  readonly tableOwner: string | null;
}

interface Row extends Omit<Schema, "owner"> {
  readonly columns: readonly string[] | null;
}

/** The table of the original, as its first migration makes it, and the file that it notes there. */
const ORIGINAL = { version: "version text", firstFile: "001_executors.sql" } as const;

/**
 * Looks around. Any role may, and on a database that takes no writes.
 *
 * @throws {DatabaseUnavailableError}
 */
export async function lookAtSchema(query: Query): Promise<Schema> {
  const [row] = await query<Row>(
    `SELECT quote_ident(current_user) AS role, quote_ident(current_database()) AS database,
       quote_ident(current_schema()) AS schema, current_setting('search_path') AS "searchPath",
       coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS "mayCreate",
       relnamespace::regnamespace::text AS "tableSchema",
       quote_ident(pg_get_userbyid(relowner)) AS "tableOwner",
       (SELECT array_agg(attname || ' ' || format_type(atttypid, NULL)) FROM pg_attribute
        WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped) AS columns
     FROM (SELECT to_regclass('schema_migrations') AS found) AS looked
     LEFT JOIN pg_class ON pg_class.oid = found`,
  );
  const { columns, ...schema } = row!;
  const isWhereWeMakeOurs = schema.tableSchema === schema.schema;
  return { ...schema, owner: await ownerOf(query, columns, isWhereWeMakeOurs) };
}

async function ownerOf(
  query: Query,
  columns: readonly string[] | null,
  isWhereWeMakeOurs: boolean,
): Promise<Schema["owner"]> {
  if (columns === null) return "nobody";
  if (["version integer", "name text"].every((column) => columns.includes(column))) return "us";
  // In another schema of the path it is in nobody's way: ours comes first.
  if (!isWhereWeMakeOurs) return "nobody";
  return await isOriginal(query, columns) ? "original" : "another";
}

async function isOriginal(query: Query, columns: readonly string[]): Promise<boolean> {
  if (!columns.includes(ORIGINAL.version)) return false;
  const [row] = await query<{ found: boolean }>(
    `SELECT EXISTS (SELECT 1 FROM schema_migrations WHERE version = $1::text)
       AND to_regclass('executors') IS NOT NULL
       AND to_regclass('workspace_executors') IS NOT NULL AS found`,
    [ORIGINAL.firstFile],
  );
  return row!.found;
}

/** What to say of a database whose `schema_migrations` is another program's. */
export function notOurs({ owner, schema, database, role }: Schema): DatabaseSetupError {
  if (owner === "original") {
    return new OriginalDatabaseError(
      `the database ${database} is the Go original's: stop the original, and bring its tables over`,
    );
  }
  return new DatabaseSetupError(
    `the table schema_migrations in the schema ${schema} of the database ${database} belongs to ` +
      `another tool: give the gateway a schema of its own (${ownSchema(role)}), or a database`,
  );
}

/** What to say where the search path leads to no schema. */
export function noSchema({ searchPath, database, role }: Schema): DatabaseSetupError {
  return new DatabaseSetupError(
    `no schema of the search path (${searchPath}) is there in the database ${database} for the ` +
      `role ${role}: make one (CREATE SCHEMA … AUTHORIZATION ${role}), or name another in ` +
      "search_path",
  );
}

/** What to say where the role may not make the tables that are missing. */
export function mayNotCreate({ schema, database, role }: Schema): DatabaseSetupError {
  return new DatabaseSetupError(
    `the role ${role} may not make tables in the schema ${schema} of the database ${database}: ` +
      `have the owner of the schema run GRANT USAGE, CREATE ON SCHEMA ${schema} TO ${role}`,
  );
}

/** What to say where the role may not change the tables that are there. */
export function mayNotChange(
  { schema, role, tableOwner }: Schema,
  reason: string,
): DatabaseSetupError {
  return new DatabaseSetupError(
    `the role ${role} may not bring the tables in the schema ${schema} up to date (${reason}): ` +
      `start this version once as the role ${tableOwner}, whose they are, or have it run ` +
      `GRANT ${tableOwner} TO ${role}`,
  );
}

/** What to say where the role may not use the tables. */
export function mayNotUse({ schema, role }: Schema, reason: string): DatabaseSetupError {
  return new DatabaseSetupError(
    `the role ${role} may not use the gateway's tables (${reason}): have their owner run ` +
      `GRANT USAGE ON SCHEMA ${schema} TO ${role}; ` +
      `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${role}`,
  );
}

function ownSchema(role: string): string {
  return `CREATE SCHEMA gateway AUTHORIZATION ${role}; ` +
    `ALTER ROLE ${role} SET search_path = gateway`;
}
