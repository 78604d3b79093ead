import assert from "node:assert/strict";
import { Store } from "../../src/store/store.ts";
import { exists } from "../support/files.ts";
import { names, startStore, until, withDirectory } from "./started_store.ts";

Deno.test("killed while it is made, the database is made anew", async () => {
  await withDirectory(async (dataDir) => {
    // At the first sign of it, and when it has begun to look like a database.
    for (const sign of ["pgdata.new", "pgdata.new/PG_VERSION"]) {
      await using store = startStore(dataDir);
      await until(() => exists(`${dataDir}/${sign}`));
      await store.kill();
      assert.equal(await exists(`${dataDir}/pgdata`), false, "it was finished before the kill");
    }
    const store = await Store.open({ dataDir });
    await store.ping();
    await store.close();
    assert.deepEqual(await names(dataDir), ["lock", "pgdata"]);
    for (const path of ["", "/lock", "/pgdata"]) {
      const { mode } = await Deno.stat(`${dataDir}${path}`);
      assert.equal((mode ?? 0) & 0o077, 0, `${path} is open to others`);
    }
  });
});
