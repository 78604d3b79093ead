import assert from "node:assert/strict";
import type { Database } from "../../src/store/database.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { Store } from "../../src/store/store.ts";
import { clusterAvailable, PostgresCluster } from "../reliability/support/postgres_cluster.ts";
import { onPostgres } from "../support/databases.ts";
import { noteSecret } from "../support/evidence.ts";
import { makeOriginal } from "../support/original_database.ts";
import {
  type Finished,
  Gateway,
  runCli,
  runGateway,
  TempDir,
  type Variables,
} from "../support/process.ts";
import { NOISE_REGISTRATION } from "../support/relay.ts";

const SECRETS = {
  CXG_CAPTOKEN_HMAC_SECRET: "captoken-secret-of-a-test-of-the-start",
  CXG_AGENTSERVER_INTERNAL_SECRET: "internal-secret-of-a-test-of-the-start",
};

onPostgres(
  "the Go original's database is named with what brings it over, and is brought over",
  async (options) => {
    const url = options.databaseUrl!;
    const token = await makeOriginal(url);
    noteSecret("registration token", token);
    await using dir = await TempDir.empty();
    const variables = { ...SECRETS, CXG_DATABASE_URL: url };
    const refused = await runGateway({ ...variables, CXG_DATA_DIR: dir.path });
    assertOneLine(refused, /the Go original's.*cli db adopt$/);

    const dry = await runCli(dir.path, ["db", "adopt", "--dry-run"], variables);
    assert.equal(dry.code, 0, dry.stderr);
    assert.match(dry.stdout, /^would bring over .*\n.*3 executors(.|\n)*nothing was changed/);
    assertOneLine(await runGateway({ ...variables, CXG_DATA_DIR: dir.path }), /db adopt$/);

    const adopted = await runCli(dir.path, ["db", "adopt"], variables);
    assert.equal(adopted.code, 0, adopted.stderr);
    assert.match(adopted.stdout, /workspace ws_1 had 2 defaults: exe_a, bound first, stays/);
    const again = await runCli(dir.path, ["db", "adopt", "--json"], variables);
    assert.deepEqual(JSON.parse(again.stdout), { adopted: false, dry_run: false });

    await using gateway = await Gateway.start(dir.path, variables);
    for (const [given, status] of [[token, 200], [`${token.slice(1)}0`, 401]] as const) {
      const response = await fetch(`${gateway.url}/cloud/environment/exe_b/register`, {
        method: "POST",
        headers: { authorization: `Bearer ${given}` },
        body: JSON.stringify(NOISE_REGISTRATION),
      });
      await response.body?.cancel();
      assert.equal(response.status, status);
    }
    await withDatabase(url, async (database) => {
      assert.deepEqual(
        await database.query(
          "SELECT exe_id FROM executors WHERE registration_token_digest IS NOT NULL",
        ),
        [{ exe_id: "exe_b" }],
        "its digest is learnt at the first use",
      );
    });
  },
);

onPostgres("db adopt on what it cannot adopt is one line", async (options) => {
  await using dir = await TempDir.empty();
  const adopt = (url: string) => runCli(dir.path, ["db", "adopt"], { CXG_DATABASE_URL: url });
  assertOneLine(await adopt(options.databaseUrl!), /no tables of the Go original/);
  assertOneLine(await adopt(""), /CXG_DATABASE_URL is not set/);
  assertOneLine(await adopt("postgres://u:hunter2/x@h/db"), /percent-encoded/);
  assertOneLine(await adopt("postgres://u:hunter2@127.0.0.1:1/db"), /ECONNREFUSED/);
});

onPostgres(
  "another tool's tables are one line that says how to have a schema of one's own",
  async (options) => {
    await withDatabase(options.databaseUrl!, async (database) => {
      await database.query("CREATE TABLE schema_migrations (version bigint, dirty boolean)");
      assertOneLine(await start(options.databaseUrl!), /another tool.*CREATE SCHEMA gateway/);
      await database.query("CREATE SCHEMA own");
    });
    const url = `${options.databaseUrl}?options=-c%20search_path%3Down`;
    await using dir = await TempDir.empty();
    await using gateway = await Gateway.start(dir.path, { ...SECRETS, CXG_DATABASE_URL: url });
    assert.equal(await (await fetch(`${gateway.url}/readyz`)).text(), "ok");
    await withDatabase(
      options.databaseUrl!,
      (database) => database.query("SELECT 1 FROM own.executors; DROP SCHEMA own CASCADE"),
    );
  },
);

onPostgres("a schema that is not there is one line", async (options) => {
  const url = `${options.databaseUrl}?options=-c%20search_path%3Dnowhere`;
  assertOneLine(await start(url), /search path \(nowhere\).*CREATE SCHEMA/);
});

onPostgres(
  "a role without the rights is one line that says who has to grant which",
  async (options) => {
    const role = `cxg_test_role_${crypto.randomUUID().replaceAll("-", "")}`;
    const url = new URL(options.databaseUrl!);
    url.username = role;
    await withDatabase(options.databaseUrl!, async (database) => {
      await database.query(`CREATE ROLE ${role} LOGIN; GRANT USAGE ON SCHEMA public TO ${role}`);
      try {
        assertOneLine(
          await start(url.href),
          new RegExp(`owner of the schema run GRANT USAGE, CREATE ON SCHEMA public TO ${role}$`),
        );
        await (await Store.open(options)).close();
        assertOneLine(
          await start(url.href),
          new RegExp(
            `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role}$`,
          ),
        );
        await database.query(`GRANT SELECT ON schema_migrations TO ${role}`);
        assertOneLine(await start(url.href), /lacks rights on executors, workspace_executors/);
        await database.query(
          `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role}`,
        );
        await using dir = await TempDir.empty();
        await using gateway = await Gateway.start(dir.path, {
          ...SECRETS,
          CXG_DATABASE_URL: url.href,
        });
        assert.equal(await (await fetch(`${gateway.url}/readyz`)).text(), "ok");
      } finally {
        await database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
      }
    });
  },
);

Deno.test("a database's URL that cannot be meant is one line that says why", async () => {
  const refusals: [string, RegExp][] = [
    ["postgres://u:hunter2/x@h/db", /CXG_DATABASE_URL .*percent-encoded/],
    ["postgres://u:hunter2@h1,h2/db", /CXG_DATABASE_URL .*one host/],
    ["postgres://u:hunter2@h/db?sslmode=strict", /CXG_DATABASE_URL .*sslmode/],
    [
      "postgres://u:hunter2@h/db?sslmode=verify-ca&sslrootcert=/nowhere/ca.pem",
      /\/nowhere\/ca.pem/,
    ],
  ];
  for (const [url, says] of refusals) assertOneLine(await start(url), says);
});

Deno.test("a variable of libpq's that means nothing is one line that names it, and not its value", async () => {
  for (const name of ["PGPORT", "PGSSLMODE", "PGSSLNEGOTIATION"]) {
    const ended = await start("postgres://u@127.0.0.1/db", { [name]: "hunter2" });
    assertOneLine(ended, new RegExp(`${name} must be `));
  }
});

Deno.test({
  name: "deno task start may use the unix socket that the URL names (postgresql)",
  ignore: !clusterAvailable,
  async fn() {
    await using cluster = await PostgresCluster.create();
    await using dir = await TempDir.empty();
    const variables = { ...SECRETS, CXG_DATABASE_URL: cluster.socketUrl };
    await using gateway = await Gateway.start(dir.path, variables);
    assert.equal(await (await fetch(`${gateway.url}/readyz`)).text(), "ok");
  },
});

async function start(url: string, variables: Variables = {}): Promise<Finished> {
  await using dir = await TempDir.empty();
  return await runGateway({
    ...SECRETS,
    CXG_DATA_DIR: dir.path,
    CXG_DATABASE_URL: url,
    ...variables,
  });
}

/** It ended by itself with exit code 1 and one line, fit for a person. */
function assertOneLine(ended: Finished, says: RegExp): void {
  assert.equal(ended.code, 1, ended.stderr);
  assert.equal(ended.stderrLines.length, 1, ended.stderr);
  assert.match(ended.stderrLines[0]!, says);
  assert.doesNotMatch(ended.stderr, / {4}at |Error:|hunter2/);
  assert.equal(ended.stdout, "");
}

async function withDatabase(
  url: string,
  work: (database: Database) => Promise<unknown>,
): Promise<void> {
  const database = await openPostgres(url, { timeoutMs: 20_000 });
  try {
    await work(database);
  } finally {
    await database.close();
  }
}
