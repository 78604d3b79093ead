import assert from "node:assert/strict";
import { adopt } from "../../src/store/adopt.ts";
import { type Database, DatabaseSetupError } from "../../src/store/database.ts";
import { migrate } from "../../src/store/migrate.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { OriginalDatabaseError } from "../../src/store/schema_owner.ts";
import { Store, type StoreOptions } from "../../src/store/store.ts";
import { onPostgres } from "../support/databases.ts";
import { LATER_MIGRATIONS, makeOriginal } from "../support/original_database.ts";

for (const [version, later] of [["its first version", ""], ["a later one", LATER_MIGRATIONS]]) {
  onPostgres(`the original's database of ${version} becomes ours`, async (options) => {
    await makeOriginal(options.databaseUrl!, later);
    const adoption = await withDatabase(options, (database) => adopt(database));
    assert.deepEqual({ ...adoption, database: "", kept_as: {} }, {
      database: "",
      schema: "public",
      executors: 3,
      bindings: 4,
      nulls: 4,
      without_token: [],
      defaults: [{ workspace_id: "ws_1", kept: "exe_a", dropped: ["exe_b"] }],
      kept_as: {},
    });
    const store = await Store.open(options);
    try {
      assert.deepEqual(await store.getExecutor("exe_a"), {
        exe_id: "exe_a",
        user_id: "user_1",
        display_name: "laptop",
        description: "of Ann",
        default_cwd: "/home/ann",
        registered_at: "2026-05-01T10:00:00.000Z",
        last_seen_at: "2026-05-02T10:00:00.000Z",
      });
      assert.deepEqual(await store.getExecutor("exe_b"), {
        exe_id: "exe_b",
        user_id: "user_1",
        display_name: "",
        description: "",
        default_cwd: "",
        registered_at: "2026-05-01T11:00:00.000Z",
      });
      const bindings = async (workspace: string) =>
        (await store.listWorkspaceExecutors(workspace))
          .map(({ exe_id, is_default }) => [exe_id, is_default]);
      assert.deepEqual(
        await bindings("ws_1"),
        [["exe_c", false], ["exe_a", true], ["exe_b", false]],
        "in the order in which they were bound",
      );
      assert.deepEqual(await bindings("ws_2"), [["exe_a", true]]);
      await store.bindWorkspaceExecutor("ws_2", "exe_c", true);
      assert.deepEqual(await bindings("ws_2"), [["exe_a", false], ["exe_c", true]]);
    } finally {
      await store.close();
    }
    await withDatabase(options, async (database) => {
      const [row] = await database.query<{ executors: number; versions: string[] }>(
        `SELECT (SELECT count(*)::int FROM original_executors) AS executors,
           (SELECT array_agg(version ORDER BY version) FROM original_schema_migrations) AS versions`,
      );
      assert.equal(row!.executors, 3, "what was there is kept");
      assert.equal(row!.versions[0], "001_executors.sql");
      assert.equal(await adopt(database), undefined, "a second time there is nothing to do");
    });
  });
}

onPostgres("an adopted database has the schema of one that was always ours", async (options) => {
  const fresh = await withDatabase(options, async (database) => {
    await migrate(database);
    const described = await describeSchema(database);
    await database.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    return described;
  });
  assert.ok(fresh.length > 20, "there is something to compare");
  await makeOriginal(options.databaseUrl!, LATER_MIGRATIONS);
  await withDatabase(options, async (database) => {
    await adopt(database);
    const all = await describeSchema(database);
    assert.deepEqual(all.filter((line) => !line.startsWith("original_")), fresh);
  });
});

onPostgres("a dry run says what would be done, and does nothing", async (options) => {
  await makeOriginal(options.databaseUrl!);
  await withDatabase(options, async (database) => {
    const before = await describeSchema(database);
    const planned = await adopt(database, { isDryRun: true });
    assert.deepEqual(await describeSchema(database), before);
    assert.deepEqual(await adopt(database), planned);
  });
});

onPostgres("an executor without a token is named, and can come with none", async (options) => {
  await makeOriginal(
    options.databaseUrl!,
    "ALTER TABLE executors DROP COLUMN registration_token_hash",
  );
  await withDatabase(options, async (database) => {
    const { without_token } = await adopt(database) ?? assert.fail();
    assert.deepEqual(without_token, ["exe_a", "exe_b", "exe_c"]);
    const hashes = await database.query<{ hash: string }>(
      "SELECT DISTINCT registration_token_hash AS hash FROM executors",
    );
    for (const { hash } of hashes) assert.match(hash, /^\$2a\$10\$[./A-Za-z0-9]{53}$/);
  });
});

onPostgres("what is neither the original's nor ours is not adopted", async (options) => {
  await withDatabase(options, async (database) => {
    await assert.rejects(adopt(database), refusal(/no tables of the Go original/));
    // As golang-migrate makes it.
    await database.query("CREATE TABLE schema_migrations (version bigint, dirty boolean)");
    await assert.rejects(adopt(database), refusal(/belongs to another tool/));
    await database.query("DROP TABLE schema_migrations");
  });
});

onPostgres(
  "a table in the way of those that are kept is named, and nothing changes",
  async (options) => {
    await makeOriginal(
      options.databaseUrl!,
      "CREATE TABLE original_workspace_executors (n integer)",
    );
    await withDatabase(options, async (database) => {
      const before = await describeSchema(database);
      await assert.rejects(adopt(database), refusal(/original_workspace_executors already/));
      assert.deepEqual(await describeSchema(database), before);
    });
  },
);

onPostgres("an original that is still at work is named", async (options) => {
  await makeOriginal(options.databaseUrl!);
  await withDatabase(options, async (original) => {
    const adopting = await original.session(async (query) => {
      await query("BEGIN; UPDATE executors SET last_seen_at = now()");
      const result = await withDatabase(options, (database) => adopt(database).catch((e) => e));
      await query("ROLLBACK");
      return result;
    }, { statementTimeoutMs: 60_000 });
    assert.ok(refusal(/stop it first/)(adopting));
  });
});

onPostgres("the tables stay their owner's, whoever adopts them", async (options) => {
  const role = `cxg_test_owner_${crypto.randomUUID().replaceAll("-", "")}`;
  await makeOriginal(options.databaseUrl!);
  await withDatabase(options, async (database) => {
    await database.query(`CREATE ROLE ${role}; GRANT USAGE, CREATE ON SCHEMA public TO ${role}`);
    try {
      for (const table of ["schema_migrations", "executors", "workspace_executors"]) {
        await database.query(`ALTER TABLE ${table} OWNER TO ${role}`);
      }
      await database.query(`REVOKE CREATE ON SCHEMA public FROM ${role}`);
      await assert.rejects(adopt(database), refusal(/GRANT USAGE, CREATE ON SCHEMA public TO/));
      await database.query(`GRANT CREATE ON SCHEMA public TO ${role}`);
      await adopt(database);
      assert.deepEqual(
        await database.query(
          `SELECT DISTINCT pg_get_userbyid(relowner) AS owner FROM pg_class
           WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace`,
        ),
        [{ owner: role }],
      );
    } finally {
      await database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });
});

onPostgres("the store names the original's database, and leaves it as it is", async (options) => {
  await makeOriginal(options.databaseUrl!);
  const before = await withDatabase(options, describeSchema);
  await assert.rejects(Store.open(options), OriginalDatabaseError);
  assert.deepEqual(await withDatabase(options, describeSchema), before);
});

function refusal(pattern: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof DatabaseSetupError, String(error));
    assert.match(error.message, pattern);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  };
}

/** Every column, constraint, index and trigger, a line each. */
async function describeSchema(database: Database): Promise<string[]> {
  const rows = await database.query<{ line: string }>(
    `SELECT relname || ' ' || attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull
       || ' ' || attidentity::text || ' ' || coalesce(pg_get_expr(adbin, adrelid), '') AS line
     FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
       LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
     WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
     UNION ALL
     SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
     FROM pg_constraint WHERE connamespace = 'public'::regnamespace
     UNION ALL
     SELECT tablename || ' ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
     UNION ALL
     SELECT tgrelid::regclass || ' ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
     ORDER BY 1`,
  );
  return rows.map(({ line }) => line);
}

async function withDatabase<T>(
  { databaseUrl }: StoreOptions,
  work: (database: Database) => Promise<T>,
): Promise<T> {
  const database = await openPostgres(databaseUrl!, { timeoutMs: 20_000 });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}
