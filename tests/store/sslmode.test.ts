import assert from "node:assert/strict";
import { DatabaseSetupError, DatabaseUnavailableError } from "../../src/store/database.ts";
import { openPostgres, type PostgresOptions } from "../../src/store/postgres.ts";
import { clusterAvailable, PostgresCluster } from "../reliability/support/postgres_cluster.ts";
import { Authority, hasOpenssl } from "../support/openssl.ts";

// What libpq does, by https://www.postgresql.org/docs/current/libpq-ssl.html and its source: `tls` is a role
// that the server takes over TLS only, `plain` one that it takes without only.
const HBA = `hostssl all tls 127.0.0.1/32 trust
hostnossl all tls 127.0.0.1/32 reject
hostnossl all plain 127.0.0.1/32 trust
hostssl all plain 127.0.0.1/32 reject
hostssl all gateway 127.0.0.1/32 cert
hostnossl all gateway 127.0.0.1/32 reject`;

/** How a connection comes to be: over TLS, without, or not at all, with what the message says. */
type Outcome = "TLS" | "plain" | RegExp;

const CASES: readonly [role: string, parameters: string, outcome: Outcome][] = [
  ["tls", "", "TLS"],
  ["tls", "sslmode=disable", /pg_hba.conf/],
  ["tls", "sslmode=allow", "TLS"],
  ["tls", "sslmode=prefer", "TLS"],
  ["tls", "sslmode=require", "TLS"],
  ["plain", "", "plain"],
  ["plain", "sslmode=disable", "plain"],
  ["plain", "sslmode=allow", "plain"],
  ["plain", "sslmode=prefer", "plain"],
  ["plain", "sslmode=require", /pg_hba.conf/],
  ["postgres", "", "TLS"],
  ["postgres", "sslmode=allow", "plain"],
  // The certificate is for localhost, and the address is 127.0.0.1.
  ["tls", "sslmode=verify-ca&sslrootcert=CA", "TLS"],
  ["tls", "sslmode=verify-full&sslrootcert=CA", /127\.0\.0\.1/],
  ["tls", "sslmode=verify-full&sslrootcert=CA&host=localhost", "TLS"],
  ["tls", "sslmode=verify-ca&sslrootcert=OTHER", /certificate|signature/],
  ["tls", "sslmode=verify-full&sslrootcert=OTHER&host=localhost", /certificate|signature/],
  ["tls", "sslmode=verify-full&host=localhost", /certificate/],
  ["tls", "sslmode=require&sslrootcert=CA", "TLS"],
  ["tls", "sslmode=require&sslrootcert=OTHER", /certificate|signature/],
  ["gateway", "sslmode=require&sslcert=CERT&sslkey=KEY", "TLS"],
  ["gateway", "sslmode=require", /certificate/],
];

Deno.test({
  name: "sslmode means what libpq means by it (postgresql)",
  ignore: !clusterAvailable || !hasOpenssl,
  async fn(context) {
    await using ours = await Authority.create();
    await using others = await Authority.create();
    const server = await ours.sign("localhost");
    const client = await ours.sign("gateway");
    await using cluster = await PostgresCluster.create({
      tls: { ...server, clientCa: ours.cert },
      hba: HBA,
    });
    const admin = await openPostgres(cluster.url);
    await admin.query("CREATE ROLE tls LOGIN; CREATE ROLE plain LOGIN; CREATE ROLE gateway LOGIN");
    const files = { CA: ours.cert, OTHER: others.cert, CERT: client.cert, KEY: client.key };
    const url = (role: string, parameters: string) => {
      const query = parameters.replace(
        /CA|OTHER|CERT|KEY/g,
        (name) => encodeURIComponent(files[name as keyof typeof files]),
      );
      return `postgres://${role}@127.0.0.1:${cluster.port}/postgres?${query}`;
    };
    for (const [role, parameters, outcome] of CASES) {
      await context.step(`${role} with ${parameters || "nothing"}: ${outcome}`, async () => {
        assert.equal(await outcomeOf(url(role, parameters), outcome), "as expected");
      });
    }
    await context.step("a statement over TLS is ended when it takes too long", async () => {
      await using database = await open(url("tls", "sslmode=require"), { timeoutMs: 1_000 });
      await assert.rejects(database.query("SELECT pg_sleep(60)"), /took too long/);
    });
    await context.step(
      "a server that has come to speak TLS, or to speak none, is followed",
      async () => {
        const isOver = async (database: Awaited<ReturnType<typeof open>>) => {
          const [row] = await database.query<{ ssl: boolean }>(
            "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
          );
          return row!.ssl;
        };
        await using database = await open(url("postgres", "sslmode=prefer"));
        assert.equal(await isOver(database), true);
        await admin.query("ALTER SYSTEM SET ssl = off");
        await admin.query("SELECT pg_reload_conf()");
        await endConnections(admin);
        assert.equal(await isOver(database), false);
        await assert.rejects(openPostgres(url("postgres", "sslmode=require")), (error) => {
          assert.ok(error instanceof DatabaseUnavailableError);
          assert.match(error.message, /does not support SSL/);
          return true;
        });
      },
    );
    await admin.close();
  },
});

Deno.test("a file of the URL that is not there, or no certificate, is named", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const file = `${directory}/ca.pem`;
    const url = `postgres://u:hunter2@127.0.0.1:1/db?sslmode=verify-full&sslrootcert=${file}`;
    const refusal = (pattern: RegExp) => (error: unknown) => {
      assert.ok(error instanceof DatabaseSetupError, String(error));
      assert.match(error.message, pattern);
      assert.ok(error.message.includes(file) && error.message.includes("sslrootcert"));
      assert.doesNotMatch(error.message, /hunter2|\n/);
      return true;
    };
    await assert.rejects(openPostgres(url), refusal(/there is none/));
    await Deno.writeTextFile(file, "not a certificate");
    await assert.rejects(openPostgres(url), refusal(/PEM/));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

/** Connects; returns "as expected", or what came instead. */
async function outcomeOf(url: string, outcome: Outcome): Promise<string> {
  try {
    await using database = await open(url);
    const [row] = await database.query<{ ssl: boolean }>(
      "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    );
    const found = row!.ssl ? "TLS" : "plain";
    return found === outcome ? "as expected" : found;
  } catch (error) {
    if (!(error instanceof DatabaseUnavailableError)) throw error;
    const isExpected = outcome instanceof RegExp && outcome.test(error.message);
    return isExpected ? "as expected" : error.message;
  }
}

async function open(url: string, options?: PostgresOptions) {
  const database = await openPostgres(url, { timeoutMs: 10_000, ...options });
  return Object.assign(database, { [Symbol.asyncDispose]: () => database.close() });
}

/** Ends every connection but the one that asks for it. */
async function endConnections(admin: Awaited<ReturnType<typeof openPostgres>>): Promise<void> {
  await admin.query(
    `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`,
  );
}
