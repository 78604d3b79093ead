/**
 * Issue 11, item 5: pgbouncer in transaction mode.
 *
 * @module
 */
import assert from "node:assert/strict";
import { migrations } from "../../src/store/migrations.ts";
import {
  type Database,
  DatabaseSetupError,
  DatabaseUnavailableError,
} from "../../src/store/database.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { until } from "../support/websocket.ts";
import { report } from "./support/figures.ts";
import { Pgbouncer, pgbouncerAvailable } from "./support/pgbouncer.ts";
import { clusterAvailable, PostgresCluster } from "./support/postgres_cluster.ts";
import { full } from "./support/scale.ts";
import { StoreCalls } from "./support/store_calls.ts";

const ROUNDS = full ? 10 : 1;
const AT_ONCE = full ? 10 : 4;

poolerTest(
  "gateways that start at once on an empty database through pgbouncer all come up, and leave no lock",
  async ({ pgbouncer, admin }) => {
    for (let round = 0; round < ROUNDS; round++) {
      const name = `empty_${round}`;
      await admin.query(`CREATE DATABASE ${name}`);
      const store = { databaseUrl: pgbouncer.url(name), dataDir: "" };
      const gateways = Array.from({ length: AT_ONCE }, () => GatewayProcess.launch(store));
      try {
        await Promise.all(gateways.map(({ listening }) => listening));
        for (const gateway of gateways) {
          const ready = await fetch(`${gateway.url}/readyz`);
          assert.equal(await ready.text(), "ok");
          await gateway.createExecutor();
        }
        assert.deepEqual(await leftBehind(admin), [], "no lock, and no transaction that is open");
        const inside = await openPostgres(store.databaseUrl);
        try {
          const [row] = await inside.query<{ applied: number; executors: number }>(
            `SELECT (SELECT count(*)::int FROM schema_migrations) AS applied,
               (SELECT count(*)::int FROM executors) AS executors`,
          );
          assert.deepEqual(row, { applied: migrations.length, executors: AT_ONCE });
        } finally {
          await inside.close();
        }
      } finally {
        for (const gateway of gateways) await gateway[Symbol.asyncDispose]();
        await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
      }
    }
    await report(
      `Gateways at once on an empty database through pgbouncer: rounds in which all came up`,
      `${ROUNDS} of ${ROUNDS}, ${AT_ONCE} gateways each`,
    );
  },
);

poolerTest("every call is answered through pgbouncer as without it", async ({ pgbouncer }) => {
  const store = { databaseUrl: pgbouncer.url("postgres"), dataDir: "" };
  await using gateway = await GatewayProcess.start(store);
  await using calls = await StoreCalls.of(gateway);
  await calls.assertGood();
  for (const { status } of await calls.makeAtOnce(100)) assert.ok(status < 400, `${status}`);
});

poolerTest("a gateway that waits for another's migration says so", async ({ pgbouncer, admin }) => {
  const locked = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  const migrating = admin.session(async (query) => {
    await query("BEGIN");
    // As a gateway does that migrates.
    await query(`SELECT pg_advisory_xact_lock(5294103867)`);
    locked.resolve();
    await done.promise;
    await query("ROLLBACK");
  }, { statementTimeoutMs: 60_000 });
  await locked.promise;
  await using gateway = GatewayProcess.launch({
    databaseUrl: pgbouncer.url("postgres"),
    dataDir: "",
  });
  const says = /waiting for another gateway that migrates the database/g;
  await until("it says that it waits", () => says.test(gateway.log), 60_000);
  done.resolve();
  await migrating;
  await gateway.listening;
  assert.equal(gateway.log.match(says)?.length, 1, "once");
});

poolerTest("a statement that takes too long is ended through pgbouncer", async (servers) => {
  const { pgbouncer, admin } = servers;
  const settings = { maxConnections: 1, timeoutMs: 1_000 };
  const database = await openPostgres(pgbouncer.url("postgres"), settings);
  try {
    await assert.rejects(database.query("SELECT pg_sleep(60)"), (error) => {
      assert.ok(error instanceof DatabaseUnavailableError);
      assert.match(error.message, /took too long/);
      return true;
    });
    assert.deepEqual(await database.query("SELECT 1 AS n"), [{ n: 1 }]);
    const running = await admin.query(
      "SELECT query FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(60)'",
      [],
    );
    assert.deepEqual(running, [], "the server does not go on with it");
    // The server's connections go to others after us.
    const [setting] = await database.query<{ limit: string }>(
      "SELECT current_setting('statement_timeout') AS limit",
    );
    assert.equal(setting?.limit, "0");
  } finally {
    await database.close();
  }
});

poolerTest("a parameter of the URL that pgbouncer refuses is named", async ({ pgbouncer }) => {
  const url = `${pgbouncer.url("postgres")}?options=-c%20search_path%3Dpublic`;
  await assert.rejects(openPostgres(url), (error) => {
    assert.ok(error instanceof DatabaseSetupError);
    assert.match(error.message, /startup parameter: options.*ALTER ROLE/);
    return true;
  });
});

interface Servers {
  pgbouncer: Pgbouncer;
  /** The server itself, past pgbouncer. */
  admin: Database;
}

/** Registers a test with a server of its own and pgbouncer before it. */
function poolerTest(name: string, test: (servers: Servers) => Promise<void>): void {
  Deno.test({
    name: `${name} (postgresql)`,
    // Debian's packages postgresql and pgbouncer, and root.
    ignore: !clusterAvailable || !pgbouncerAvailable,
    async fn() {
      await using cluster = await PostgresCluster.create();
      await using pgbouncer = await Pgbouncer.before(cluster.port);
      const admin = await openPostgres(cluster.url, { timeoutMs: 60_000 });
      try {
        await test({ pgbouncer, admin });
      } finally {
        await admin.close();
      }
    },
  });
}

/** The advisory locks that anybody holds, and the transactions that are open and do nothing. */
async function leftBehind(admin: Database): Promise<unknown[]> {
  return await admin.query(
    `SELECT locktype, NULL AS query FROM pg_locks WHERE locktype = 'advisory'
     UNION ALL
     SELECT state, query FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'`,
  );
}
