/**
 * What the log says of a database that fails, and is back.
 *
 * @module
 */
import assert from "node:assert/strict";
import { openPostgres } from "../../src/store/postgres.ts";
import { CutProxy } from "../support/cut_proxy.ts";
import { onPostgres } from "../support/databases.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { CapturedLogs } from "../support/logs.ts";
import { until } from "../support/websocket.ts";

onPostgres("a database that is away, and back, is a line each", async ({ databaseUrl }) => {
  using logs = new CapturedLogs();
  const url = new URL(databaseUrl!);
  const server = { hostname: url.hostname, port: Number(url.port || "5432") };
  await using wire = await CutProxy.before(server);
  url.host = `127.0.0.1:${wire.port}`;
  await using gateway = await startGateway({ databaseUrl: url.href, dataDir: "" });
  // Where nobody listens.
  wire.leadTo({ hostname: "127.0.0.1", port: 1 });
  wire.drop();
  for (let i = 0; i < 3; i++) assert.equal(await register(gateway), 503);
  wire.leadTo(server);
  await until("it is back", async () => await register(gateway) === 201);
  assertSaid(logs, {
    fails: "the database does not answer",
    reason: "database_away",
    over: "the database answers again",
  });
});

onPostgres("a database that takes no writes for a while, too", async (options) => {
  using logs = new CapturedLogs();
  await using gateway = await startGateway(options);
  const admin = await openPostgres(options.databaseUrl!, { maxConnections: 1 });
  const name = new URL(options.databaseUrl!).pathname.slice(1);
  const change = async (what: string) => {
    await admin.query(`ALTER DATABASE ${name} ${what}`);
    await admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid()`,
    );
  };
  try {
    await change("SET default_transaction_read_only = on");
    await until(
      "it is noticed",
      async () => await register(gateway) === 503 && logs.fieldsOf(NO_WRITES) !== undefined,
    );
    assert.equal(await register(gateway), 503);
  } finally {
    await change("RESET default_transaction_read_only");
    await admin.close();
  }
  await until("it is back", async () => await register(gateway) === 201);
  assertSaid(logs, {
    fails: NO_WRITES,
    reason: "database_read_only",
    over: "the database takes writes again",
  });
});

const NO_WRITES = "the database takes no writes";

async function register(gateway: TestGateway): Promise<number> {
  const { status, body } = await gateway.call("POST", "/api/codex-exec/register", {}, {
    "x-user-id": "user_test",
  });
  await body?.cancel();
  return status;
}

/** A failure is said once, before the first refusal that comes of it, and its end once, after the last. */
function assertSaid(
  logs: CapturedLogs,
  { fails, reason, over }: { fails: string; reason: string; over: string },
): void {
  const said = logs.records.map(({ message, properties }) => {
    const text = message.join("");
    if (text === "refused") return properties.reason === reason ? "R" : "";
    return text === fails ? "F" : text === over ? "O" : "";
  }).join("");
  // While connections from before are still found dead it may be away once more.
  assert.match(said, /^FR+O(?:FR*O)*$/);
  assert.ok((logs.fieldsOf(over)!.failures as number) >= said.indexOf("O") - 1);
}
