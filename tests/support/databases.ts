/**
 * The databases that tests run on: the embedded one, and PostgreSQL where a server is there.
 *
 * `CXG_TEST_DATABASE_URL` names the server (its user must be allowed to create databases), `off`
 * means none; unset, the one on this machine is used if it answers.
 *
 * @module
 */

import type { StoreOptions } from "../../src/store/store.ts";
import { openPglite } from "../../src/store/pglite.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { putBack, takeDatabase } from "./embedded.ts";

/** A database of a test's own, empty. */
export interface TestDatabase {
  options: StoreOptions;
  /** Gives it up. Whatever has it open is closed first, or is cut off. */
  dispose(): Promise<void>;
}

export interface TestDatabases {
  name: "embedded" | "postgresql";
  /** Whether this machine has it. A test of one that it lacks is ignored. */
  available: boolean;
  create(): Promise<TestDatabase>;
}

const server = await findServer();

export const databases: readonly TestDatabases[] = [
  { name: "embedded", available: true, create: createEmbedded },
  {
    name: "postgresql",
    available: server !== undefined,
    create: () => createPostgres(server),
  },
];

/** A test that is given a database of its own. */
type DatabaseTest = (options: StoreOptions, context: Deno.TestContext) => Promise<void>;

/** What {@linkcode forEachDatabase} and {@linkcode onOneDatabase} take besides. */
interface TestOptions {
  /** Whether this machine lacks something else that the test needs. */
  readonly ignore?: boolean;
  /** Whether an embedded database that is open already will do: to open one takes half a second. */
  readonly takesOpen?: boolean;
}

/** Registers `test` once for each database. */
export function forEachDatabase(name: string, test: DatabaseTest, options?: TestOptions): void {
  registerTest(name, databases, test, options);
}

/**
 * Registers `test` once, on one of the databases that are there.
 *
 * @param nth takes turns among them
 */
export function onOneDatabase(
  name: string,
  nth: number,
  test: DatabaseTest,
  options?: TestOptions,
): void {
  const available = databases.filter(({ available }) => available);
  registerTest(name, [available[nth % available.length]!], test, options);
}

/** Registers `test` for PostgreSQL alone: the embedded database serves one process. */
export function onPostgres(name: string, test: DatabaseTest): void {
  registerTest(name, databases.filter((engine) => engine.name === "postgresql"), test);
}

/** Registers `test` once, on PostgreSQL where there is a server: for what no database has a part in. */
export function onAnyDatabase(name: string, test: DatabaseTest, options?: TestOptions): void {
  registerTest(name, [databases.findLast(({ available }) => available)!], test, options);
}

/** The embedded database that tests of this file have one after the other, where they take it open. */
let open: TestDatabase & { close(): Promise<void> } | undefined;
let isOpenWanted = false;

// Not within a test, whose worker it would be.
Deno.test.beforeAll(async () => {
  if (isOpenWanted) open = await openEmbedded();
});

Deno.test.afterAll(async () => await open?.close());

/** The databases on a server that tests of this file have given back: to make one takes long. */
const spare: TestDatabase[] = [];

Deno.test.afterAll(async () => {
  for (const { dispose } of spare.splice(0)) await dispose();
});

function registerTest(
  name: string,
  on: readonly TestDatabases[],
  test: DatabaseTest,
  { ignore = false, takesOpen = false }: TestOptions = {},
): void {
  for (const { name: engine, available, create } of on) {
    const isOnServer = engine === "postgresql";
    const isOpen = takesOpen && !isOnServer;
    isOpenWanted ||= isOpen && !ignore;
    Deno.test({
      name: `${name} (${engine})`,
      ignore: ignore || !available,
      async fn(context) {
        const database = isOpen
          ? open!
          : isOnServer
          ? spare.pop() ?? await create()
          : await create();
        try {
          await test(database.options, context);
        } finally {
          if (isOnServer) {
            await emptyPostgres(database);
            spare.push(database);
          } else {
            await database.dispose();
          }
        }
      },
    });
  }
}

async function createEmbedded(): Promise<TestDatabase> {
  const dataDir = await takeDatabase();
  return { options: { dataDir }, dispose: () => putBack(dataDir) };
}

/** One that stays open. Given up, it is empty again. */
async function openEmbedded() {
  const dataDir = await takeDatabase();
  const database = await openPglite(dataDir);
  return {
    options: { dataDir: "", database },
    dispose: async () => void await database.query(EMPTY_TABLES),
    async close() {
      await database.close();
      await putBack(dataDir);
    },
  };
}

/** All rows but the list of migrations. */
const EMPTY_TABLES = `DO $$ BEGIN
  EXECUTE (
    SELECT 'TRUNCATE ' || string_agg(quote_ident(tablename), ', ') || ' RESTART IDENTITY CASCADE'
    FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_migrations'
  );
END $$`;

/** A database of its own: on the server at this URL, or the embedded one when there is none. */
export function createDatabase(postgresUrl: string | undefined): Promise<TestDatabase> {
  return postgresUrl === undefined ? createEmbedded() : createPostgres(postgresUrl);
}

async function createPostgres(server: string | undefined): Promise<TestDatabase> {
  if (server === undefined) throw new Error("there is no PostgreSQL server");
  const name = `cxg_test_${crypto.randomUUID().replaceAll("-", "")}`;
  await administer(server, `CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return {
    options: { databaseUrl: url.href, dataDir: "" },
    dispose: () => administer(server, `DROP DATABASE ${name} WITH (FORCE)`),
  };
}

/** Makes a database on a server as it was when it was new. */
async function emptyPostgres({ options: { databaseUrl } }: TestDatabase): Promise<void> {
  await administer(
    databaseUrl!,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND pid <> pg_backend_pid();
     DROP SCHEMA public CASCADE;
     CREATE SCHEMA public`,
  );
}

/** Runs statements on the server. */
async function administer(url: string, statement: string): Promise<void> {
  // To drop one takes a checkpoint, on a disk that others may be busy with.
  const database = await openPostgres(url, { timeoutMs: 60_000 });
  try {
    await database.query(statement);
  } finally {
    await database.close();
  }
}

async function findServer(): Promise<string | undefined> {
  const named = Deno.env.get("CXG_TEST_DATABASE_URL");
  if (named === "off") return undefined;
  const url = named ?? "postgres://postgres@127.0.0.1:5432/postgres";
  try {
    await (await openPostgres(url, { timeoutMs: 1_000 })).close();
    return url;
  } catch (error) {
    // One that was named has to be there: to skip its tests would hide that it is not.
    if (named !== undefined) throw error;
    return undefined;
  }
}
