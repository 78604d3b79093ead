import assert from "node:assert/strict";
import {
  DatabaseUnavailableError,
  DataDirectoryError,
  DataDirectoryInUseError,
  sqlState,
} from "../../src/store/database.ts";
import { openPglite } from "../../src/store/pglite.ts";
import { Store } from "../../src/store/store.ts";
import { databases } from "../support/databases.ts";
import { names, startStore, until, withDirectory } from "./started_store.ts";

const embedded = databases.find(({ name }) => name === "embedded") ?? assert.fail();

Deno.test("an answered write survives kill -9, and the directory is locked until then", async () => {
  const { options, dispose } = await embedded.create();
  try {
    await using store = startStore(options.dataDir);
    await store.expect("open");
    await assert.rejects(openPglite(options.dataDir), (error) => {
      assert.ok(error instanceof DataDirectoryInUseError);
      assert.ok(error.message.includes(options.dataDir));
      return true;
    });
    await store.say("a");
    await store.expect("a");
    await store.kill();

    const after = await Store.open(options);
    assert.equal(await after.getRegistrationTokenHash("a"), "hash of a");
    await after.close();
  } finally {
    await dispose();
  }
});

Deno.test("a second store in the same process is refused too, until the first is closed", async () => {
  const { options, dispose } = await embedded.create();
  try {
    const first = await openPglite(options.dataDir);
    await assert.rejects(openPglite(options.dataDir), DataDirectoryInUseError);
    await Promise.all([first.close(), first.close()]);
    await assert.rejects(first.query("SELECT 1"), DatabaseUnavailableError);
    await (await openPglite(options.dataDir)).close();
  } finally {
    await dispose();
  }
});

Deno.test("a session has the database to itself, and gives up what it left when it fails", async () => {
  const { options, dispose } = await embedded.create();
  const database = await openPglite(options.dataDir);
  try {
    await database.query("CREATE TABLE t (n integer PRIMARY KEY)");
    const seen: unknown[] = [];
    const failing = database.session(async (query) => {
      await query("BEGIN");
      await query("INSERT INTO t VALUES (1)");
      seen.push(await query("SELECT n FROM t"));
      await query("INSERT INTO t VALUES ($1::integer)", [1]);
    });
    const outside = database.query("SELECT n FROM t").then((rows) => seen.push(rows));
    await assert.rejects(failing, (error) => sqlState(error) === "23505");
    await outside;
    assert.deepEqual(seen, [[{ n: 1 }], []]);
  } finally {
    await database.close();
    await dispose();
  }
});

Deno.test("statements sent together give the rows of the last", async () => {
  const { options, dispose } = await embedded.create();
  const database = await openPglite(options.dataDir);
  try {
    assert.deepEqual(await database.query("SELECT 1 AS a; SELECT 2 AS b"), [{ b: 2 }]);
    await assert.rejects(database.query("SELECT nonsense"), (e) => sqlState(e) === "42703");
  } finally {
    await database.close();
    await dispose();
  }
});

Deno.test("a commit is on the disk before it is answered", async () => {
  const { options, dispose } = await embedded.create();
  const database = await openPglite(options.dataDir);
  try {
    const [row] = await database.query(
      "SELECT current_setting('fsync') AS fsync, current_setting('wal_sync_method') AS method",
    );
    assert.deepEqual(row, { fsync: "on", method: "fsync" });
  } finally {
    await database.close();
    await dispose();
  }
});

Deno.test("the log does not grow for as long as the database is open", async () => {
  const { options, dispose } = await embedded.create();
  const database = await openPglite(options.dataDir, { checkpointMs: 50 });
  try {
    const bytes = async () => {
      const files = await Array.fromAsync(Deno.readDir(`${options.dataDir}/pgdata/pg_wal`));
      return files.filter(({ isFile }) => isFile).length * 16;
    };
    for (let written = 0; written < 160; written += 8) {
      await database.query(
        "SELECT pg_logical_emit_message(false, 'x', repeat('x', 8388608), true)",
      );
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    await until(async () => await bytes() <= 80);
  } finally {
    await database.close();
    await dispose();
  }
});

Deno.test("a directory that cannot be used is named", async () => {
  await withDirectory(async (dataDir) => {
    await Deno.writeTextFile(`${dataDir}/file`, "");
    await rejectsNaming(`${dataDir}/file`);
    await rejectsNaming(`${dataDir}/file/below`);

    await Deno.mkdir(`${dataDir}/odd/pgdata`, { recursive: true });
    await Deno.writeTextFile(`${dataDir}/odd/pgdata/mine`, "");
    await rejectsNaming(`${dataDir}/odd`);
    assert.deepEqual(await names(`${dataDir}/odd/pgdata`), ["mine"]);
  });
});

Deno.test({
  name: "a directory that may not be written to is named",
  // Root may write anywhere.
  ignore: Deno.uid() === 0,
  async fn() {
    await withDirectory(async (dataDir) => {
      await Deno.chmod(dataDir, 0o500);
      await rejectsNaming(dataDir);
      await Deno.chmod(dataDir, 0o700);
    });
  },
});

Deno.test("a worker that dies is an error, not the end of the process", async () => {
  const { options, dispose } = await embedded.create();
  try {
    await using store = startStore(options.dataDir, { worker: false });
    assert.match(await store.failure(), /DataDirectoryError.*worker died.*pglite_worker\.ts/);
  } finally {
    await dispose();
  }
});

async function rejectsNaming(directory: string): Promise<void> {
  await assert.rejects(openPglite(directory), (error) => {
    assert.ok(error instanceof DataDirectoryError);
    assert.ok(error.message.includes(directory));
    return true;
  });
}
