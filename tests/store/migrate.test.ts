import assert from "node:assert/strict";
import { type Database, DatabaseSetupError, type Query } from "../../src/store/database.ts";
import { DatabaseTooNewError, migrate, MigrationFailedError } from "../../src/store/migrate.ts";
import { type Migration, migrations } from "../../src/store/migrations.ts";
import { openPglite } from "../../src/store/pglite.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import type { StoreOptions } from "../../src/store/store.ts";
import { databases, forEachDatabase } from "../support/databases.ts";

const steps: Migration[] = [
  {
    version: 1,
    file: "001_one.sql",
    sql: "CREATE TABLE one (n integer); INSERT INTO one VALUES (1);",
  },
  { version: 2, file: "002_two.sql", sql: "-- adds to it\nINSERT INTO one VALUES (2);" },
];

Deno.test("every file in migrations/ is listed, in order and without a gap", async () => {
  const directory = new URL("../../migrations/", import.meta.url);
  const files = (await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name).sort();
  assert.deepEqual(migrations.map(({ file }) => file), files);
  for (const [index, { version, file, sql }] of migrations.entries()) {
    assert.equal(version, index + 1);
    assert.match(file, new RegExp(`^${String(version).padStart(3, "0")}_[a-z0-9_]+\\.sql$`));
    assert.equal(sql, await Deno.readTextFile(new URL(file, directory)));
  }
});

onDatabase("migrations are applied in order, each once", async (database) => {
  await migrate(database, steps.slice(0, 1));
  await migrate(database, steps);
  await migrate(database, steps);
  assert.deepEqual(await database.query("SELECT n FROM one ORDER BY n"), [{ n: 1 }, { n: 2 }]);
  const applied = await database.query<{ applied_at: Date }>(
    "SELECT version, name, applied_at FROM schema_migrations ORDER BY version",
  );
  assert.deepEqual(
    applied.map(({ applied_at, ...rest }) => ({ ...rest, dated: applied_at instanceof Date })),
    steps.map(({ version, file }) => ({ version, name: file, dated: true })),
  );
});

onDatabase("a migration that fails leaves nothing, and those before it stay", async (database) => {
  const broken: Migration = {
    version: 3,
    file: "003_broken.sql",
    sql: "CREATE TABLE three (n integer); INSERT INTO missing VALUES (3);",
  };
  await assert.rejects(migrate(database, [...steps, broken]), (error) => {
    assert.ok(error instanceof MigrationFailedError);
    assert.match(error.message, /003_broken\.sql.*missing/);
    return true;
  });
  assert.deepEqual(
    await database.query("SELECT to_regclass('three') IS NULL AS nothing, max(n) AS n FROM one"),
    [{ nothing: true, n: 2 }],
  );
  // Neither the failed transaction nor the lock stays behind.
  await migrate(database, [...steps, { ...broken, sql: "CREATE TABLE three (n integer)" }]);
  assert.deepEqual(await database.query("SELECT n FROM three"), []);
});

onDatabase("a database that a newer program migrated is refused", async (database) => {
  await migrate(database, steps);
  await assert.rejects(migrate(database, steps.slice(0, 1)), (error) => {
    assert.ok(error instanceof DatabaseTooNewError);
    assert.match(error.message, /002_two\.sql/);
    return true;
  });
});

onDatabase("a database that is up to date is only read", async (database) => {
  await migrate(database, steps);
  await database.session(async (query) => {
    await query("BEGIN READ ONLY");
    const reading: Database = {
      query: (text, values) => query(text, values),
      session: (work) => work(query),
      close: () => Promise.resolve(),
    };
    await migrate(reading, steps);
    await query("COMMIT");
  });
});

onDatabase("another tool's table schema_migrations is left alone", async (database) => {
  const theirs = [
    "version bigint PRIMARY KEY, dirty boolean NOT NULL", // golang-migrate
    "version character varying NOT NULL PRIMARY KEY", // Rails, dbmate
    "version text PRIMARY KEY, applied_at timestamptz", // as the Go original's, without its tables
  ];
  for (const columns of theirs) {
    await database.query(`CREATE TABLE schema_migrations (${columns})`);
    await assert.rejects(migrate(database, steps), (error) => {
      assert.ok(error instanceof DatabaseSetupError);
      assert.match(error.message, /another tool.*CREATE SCHEMA .*search_path/);
      return true;
    });
    // In another schema of the search path it is in nobody's way.
    await database.query("CREATE SCHEMA own");
    const withPath: Database = {
      query: (text, values) => withinOwn(database, (query) => query(text, values)),
      session: (work) => withinOwn(database, work),
      close: () => Promise.resolve(),
    };
    await migrate(withPath, steps);
    assert.deepEqual(await database.query("SELECT n FROM own.one ORDER BY n"), [{ n: 1 }, {
      n: 2,
    }]);
    await database.query("DROP SCHEMA own CASCADE; DROP TABLE schema_migrations");
  }
});

onDatabase("where the search path leads to no schema, that is said", async (database) => {
  const nowhere: Database = {
    query: (text, values) => database.query(text, values),
    session: (work) =>
      database.session(async (query) => {
        await query("SET search_path = nowhere");
        try {
          return await work(query);
        } finally {
          await query("ROLLBACK; RESET search_path");
        }
      }),
    close: () => Promise.resolve(),
  };
  await assert.rejects(migrate(nowhere, steps), (error) => {
    assert.ok(error instanceof DatabaseSetupError);
    assert.match(error.message, /search path \(nowhere\).*CREATE SCHEMA/);
    return true;
  });
});

const postgresql = databases.find(({ name }) => name === "postgresql") ?? assert.fail();

Deno.test({
  name: "gateways that start together on an empty database all come up (postgresql)",
  ignore: !postgresql.available,
  async fn() {
    const { options, dispose } = await postgresql.create();
    const gateways = await Promise.all(Array.from({ length: 5 }, () => open(options)));
    try {
      await Promise.all(gateways.map((database) => migrate(database, steps)));
      const [first] = gateways;
      assert.deepEqual(await first?.query("SELECT n FROM one ORDER BY n"), [{ n: 1 }, { n: 2 }]);
    } finally {
      await Promise.all(gateways.map((database) => database.close()));
      await dispose();
    }
  },
});

/** Runs `work` in a session whose tables are in a schema of their own. */
async function withinOwn<T>(database: Database, work: (query: Query) => Promise<T>): Promise<T> {
  return await database.session(async (query) => {
    await query("SET search_path = own, public");
    const result = await work(query);
    await query("RESET search_path");
    return result;
  });
}

/** Registers `test` for each database, opened. */
function onDatabase(name: string, test: (database: Database) => Promise<void>): void {
  forEachDatabase(name, async (options) => {
    const database = await open(options);
    try {
      await test(database);
    } finally {
      await database.close();
    }
  });
}

async function open({ databaseUrl, dataDir }: StoreOptions): Promise<Database> {
  return databaseUrl === undefined ? await openPglite(dataDir) : await openPostgres(databaseUrl);
}
