import assert from "node:assert/strict";
import {
  type Database,
  DatabaseReadOnlyError,
  DatabaseSetupError,
  DatabaseUnavailableError,
  sqlState,
} from "../../src/store/database.ts";
import { openPostgres, type PostgresOptions } from "../../src/store/postgres.ts";
import { Store } from "../../src/store/store.ts";
import { CutProxy } from "../support/cut_proxy.ts";
import { databases } from "../support/databases.ts";

const postgresql = databases.find(({ name }) => name === "postgresql") ?? assert.fail();
const SECRET = "hunter2";

Deno.test("a port that nobody listens on is unavailable, at once", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  await assertUnavailable(`postgres://anna:${SECRET}@127.0.0.1:${port}/db`, [
    `127.0.0.1:${port}`,
    '"db"',
    "ECONNREFUSED",
  ]);
});

Deno.test("a server that does not answer is unavailable in time", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  const { port } = listener.addr;
  await assertUnavailable(`postgres://anna:${SECRET}@127.0.0.1:${port}/db`, [
    `127.0.0.1:${port}`,
    "timeout",
  ]);
  (await accepted).close();
});

Deno.test("a URL that cannot be understood is not quoted", async () => {
  await assert.rejects(openPostgres(`postgres://anna:${SECRET}@local host:port/db`), (error) => {
    assert.ok(error instanceof DatabaseSetupError);
    assert.match(error.message, /URL/);
    assert.ok(!Deno.inspect(error, { depth: 10, showHidden: true }).includes(SECRET));
    return true;
  });
});

onPostgres("an unknown database is named", async (_, url) => {
  const wrong = new URL(url);
  wrong.pathname = "/cxg_test_absent";
  wrong.password ||= SECRET;
  await assertUnavailable(wrong.href, ["cxg_test_absent", "does not exist"]);
});

onPostgres("lost connections are replaced", async (database, url) => {
  const pids = await connections(database, 4);
  await terminate(url, pids);
  assert.deepEqual(await database.query("SELECT 1 AS n"), [{ n: 1 }]);
  const after = await connections(database, 4);
  assert.ok(after.every((pid) => !pids.includes(pid)));
});

onPostgres(
  "a connection lost in the middle of a statement is unavailable",
  async (database, url) => {
    const lost = database.session(async (query) => {
      const [row] = await query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      const waiting = query("SELECT pg_sleep(60)");
      await Promise.all([
        assert.rejects(waiting, DatabaseUnavailableError),
        terminate(url, [row?.pid ?? assert.fail()]),
      ]);
      await query("SELECT 1");
    });
    await assert.rejects(lost, DatabaseUnavailableError);
    assert.deepEqual(await database.query("SELECT 1 AS n"), [{ n: 1 }]);
  },
);

onPostgres("no more connections than allowed, and no endless wait for one", async (database) => {
  const holding = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  const session = database.session(async (query) => {
    await query("SELECT 1");
    held.resolve();
    await holding.promise;
  });
  await held.promise;
  await assert.rejects(database.query("SELECT 1"), DatabaseUnavailableError);
  holding.resolve();
  await session;
  assert.deepEqual(await database.query("SELECT 1 AS n"), [{ n: 1 }]);
}, { maxConnections: 1, timeoutMs: 300 });

onPostgres("a statement that takes too long is unavailable", async (database) => {
  await assert.rejects(database.query("SELECT pg_sleep(60)"), DatabaseUnavailableError);
  // A session may have more time, and does not leave it to whoever has the connection next.
  await database.session((query) => query("SELECT pg_sleep(0.7)"), { statementTimeoutMs: 60_000 });
  await assert.rejects(database.query("SELECT pg_sleep(60)"), DatabaseUnavailableError);
}, { maxConnections: 1, timeoutMs: 500 });

onPostgres("a session that fails gives up its transaction and locks", async (database) => {
  await database.query("CREATE TABLE t (n integer PRIMARY KEY)");
  const failing = database.session(async (query) => {
    await query("SELECT pg_advisory_lock(1)");
    await query("BEGIN");
    await query("INSERT INTO t VALUES (1); INSERT INTO t VALUES (1)");
  });
  await assert.rejects(failing, (error) => sqlState(error) === "23505");
  assert.deepEqual(await database.query("SELECT n FROM t"), []);
  assert.deepEqual(await database.query("SELECT pg_try_advisory_lock(1) AS free"), [{
    free: true,
  }]);
}, { maxConnections: 1 });

onPostgres(
  "a statement that is at fault keeps its SQLSTATE and its connection",
  async (database) => {
    const [before] = await connections(database, 1);
    await assert.rejects(database.query("SELECT nonsense", []), (e) => sqlState(e) === "42703");
    assert.deepEqual(await connections(database, 1), [before]);
  },
  { maxConnections: 1 },
);

onPostgres(
  "a network that was cut costs one limit, and not one for each idle connection",
  async (_, url) => {
    const { hostname, port } = new URL(url);
    await using proxy = await CutProxy.before({ hostname, port: Number(port || 5432) });
    const through = new URL(url);
    through.host = `127.0.0.1:${proxy.port}`;
    const database = await openPostgres(through.href, { maxConnections: 4, timeoutMs: 1_000 });
    try {
      await connections(database, 4);
      proxy.cut();
      const start = performance.now();
      const many = Array.from({ length: 12 }, () => database.query("SELECT 1"));
      for (const { status } of await Promise.allSettled(many)) assert.equal(status, "rejected");
      const tookMs = performance.now() - start;
      // Four idle connections would cost four seconds.
      assert.ok(tookMs > 900 && tookMs < 3_500, `those that waited took ${tookMs} ms`);
      proxy.mend();
      await connections(database, 4);
      proxy.cut();
      await assert.rejects(database.query("SELECT 1"), DatabaseUnavailableError);
      proxy.mend();
      assert.deepEqual(await database.query("SELECT 1 AS n"), [{ n: 1 }], "the first after it");
    } finally {
      await database.close();
    }
  },
);

onPostgres("a statement that the server ended leaves its connection as it is", async (database) => {
  const [before] = await connections(database, 1);
  await assert.rejects(database.query("SELECT pg_sleep(60)"), (error) => {
    assert.ok(error instanceof DatabaseUnavailableError);
    assert.match(error.message, /a statement took too long/);
    return true;
  });
  assert.deepEqual(await connections(database, 1), [before]);
}, { maxConnections: 1, timeoutMs: 1_000 });

onPostgres(
  "a connection that came to take no writes is the database being away, and is dropped",
  async (database, url) => {
    await database.query("CREATE TABLE t (n integer)");
    const before = await connections(database, 2);
    const name = new URL(url).pathname.slice(1);
    // For connections to come: those that there are learn of it by themselves.
    await database.query(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    await terminate(url, before);
    for (const write of ["INSERT INTO t VALUES (1)", "CREATE TABLE u (n integer)"]) {
      await assert.rejects(database.query(write), (error) => {
        assert.ok(error instanceof DatabaseReadOnlyError, String(error));
        assert.match(error.message, /read-only/);
        return true;
      });
    }
    const [reading] = await connections(database, 1);
    await assert.rejects(database.query("INSERT INTO t VALUES (1)"), DatabaseReadOnlyError);
    assert.notDeepEqual(await connections(database, 1), [reading], "it has another connection");
    const administrator = await openPostgres(url);
    await administrator.session(async (query) => {
      await query("SET default_transaction_read_only = off");
      await query(`ALTER DATABASE ${name} RESET default_transaction_read_only`);
    });
    await administrator.close();
    // One more has to find out.
    await database.query("INSERT INTO t VALUES (1)").catch(() => {});
    await database.query("INSERT INTO t VALUES (1)");
  },
);

onPostgres(
  "neither the store nor its ping takes a database that takes no writes",
  async (_, url) => {
    const store = await Store.open({ databaseUrl: url, dataDir: "" });
    const administrator = await openPostgres(url);
    try {
      await store.ping();
      assert.deepEqual(await store.turnsRevokedLately(60), []);
      const role = `cxg_test_reader_${crypto.randomUUID().replaceAll("-", "")}`;
      await administrator.query(`CREATE ROLE ${role} LOGIN; GRANT USAGE ON SCHEMA public TO ${role};
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role}`);
      const asRole = new URL(url);
      asRole.username = role;
      const reader = await Store.open({ databaseUrl: asRole.href, dataDir: "" });
      try {
        await reader.ping();
        await administrator.query(`REVOKE UPDATE ON ALL TABLES IN SCHEMA public FROM ${role}`);
        await assert.rejects(reader.ping(), DatabaseReadOnlyError);
        await assert.rejects(reader.turnsRevokedLately(60), DatabaseReadOnlyError);
        await administrator.query(`GRANT UPDATE ON ALL TABLES IN SCHEMA public TO ${role}`);
        await reader.ping();
        await reader.turnsRevokedLately(60);
      } finally {
        await reader.close();
        await administrator.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
      }
    } finally {
      await administrator.close();
      await store.close();
    }
  },
);

onPostgres("the store's connections are named after the program", async (database, url) => {
  const store = await Store.open({ databaseUrl: url, dataDir: "" });
  try {
    const rows = await database.query<{ name: string }>(
      `SELECT DISTINCT application_name AS name FROM pg_stat_activity
       WHERE datname = current_database()`,
    );
    assert.deepEqual(rows, [{ name: "codex-exec-gateway" }]);
  } finally {
    await store.close();
  }
});

/** Registers a test with a database of its own, opened. */
function onPostgres(
  name: string,
  test: (database: Database, url: string) => Promise<void>,
  settings?: PostgresOptions,
): void {
  Deno.test({
    name,
    ignore: !postgresql.available,
    async fn() {
      const { options, dispose } = await postgresql.create();
      const url = options.databaseUrl ?? assert.fail();
      const database = await openPostgres(url, settings);
      try {
        await test(database, url);
      } finally {
        await database.close();
        await dispose();
      }
    },
  });
}

async function assertUnavailable(url: string, mentions: string[]): Promise<void> {
  const start = performance.now();
  await assert.rejects(openPostgres(url), (error) => {
    assert.ok(error instanceof DatabaseUnavailableError);
    for (const mention of mentions) assert.ok(error.message.includes(mention), error.message);
    assert.ok(!error.message.includes("\n"));
    assert.ok(!Deno.inspect(error, { depth: 10, showHidden: true }).includes(SECRET));
    return true;
  });
  assert.ok(performance.now() - start < 30_000);
}

/** The process ids of `count` connections that are held at once. */
async function connections(database: Database, count: number): Promise<number[]> {
  const all = Promise.withResolvers<void>();
  let held = 0;
  return await Promise.all(Array.from({ length: count }, () =>
    database.session(async (query) => {
      const [row] = await query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      if (++held === count) all.resolve();
      await all.promise;
      return row?.pid ?? assert.fail();
    })));
}

/** Ends the server's side of the connections, and waits until it has. */
async function terminate(url: string, pids: number[]): Promise<void> {
  const administrator = await openPostgres(url);
  try {
    const rows = await administrator.query<{ ended: boolean }>(
      "SELECT pg_terminate_backend(pid, 5000) AS ended FROM unnest($1::integer[]) AS pid",
      [pids],
    );
    assert.deepEqual(rows, pids.map(() => ({ ended: true })));
  } finally {
    await administrator.close();
  }
}
