import assert from "node:assert/strict";
import { Store } from "../../src/store/store.ts";
import { forEachDatabase } from "../support/databases.ts";
import { openPglite } from "../../src/store/pglite.ts";
import { openPostgres } from "../../src/store/postgres.ts";

const DIGEST = "d".repeat(64);

forEachDatabase("the digest of a registration token is kept beside its hash", async (options) => {
  const store = await Store.open(options);
  try {
    await store.createExecutor(executor("with"), "hash", DIGEST);
    await store.createExecutor(executor("without"), "hash");
    assert.deepEqual(await store.getRegistrationTokenDigest("with"), {
      digest: DIGEST,
      hash: "hash",
    });
    assert.deepEqual(await store.getRegistrationTokenDigest("without"), {
      digest: undefined,
      hash: "hash",
    });
    assert.equal(await store.getRegistrationTokenDigest("nobody"), undefined);
    assert.equal(await store.getRegistrationTokenHash("with"), "hash");
  } finally {
    await store.close();
  }
});

forEachDatabase("a digest is added once, and only to the hash it goes with", async (options) => {
  const store = await Store.open(options);
  try {
    await store.createExecutor(executor("a"), "hash");
    await store.addRegistrationTokenDigest("a", "an earlier hash", DIGEST);
    await store.addRegistrationTokenDigest("nobody", "hash", DIGEST);
    assert.deepEqual(await store.getRegistrationTokenDigest("a"), {
      digest: undefined,
      hash: "hash",
    });
    await store.addRegistrationTokenDigest("a", "hash", DIGEST);
    await store.addRegistrationTokenDigest("a", "hash", "e".repeat(64));
    assert.deepEqual(await store.getRegistrationTokenDigest("a"), { digest: DIGEST, hash: "hash" });
    // The driver's error, whatever it is called: what is stored has the form of a digest.
    await assert.rejects(store.createExecutor(executor("b"), "hash", "no digest"));
  } finally {
    await store.close();
  }
});

forEachDatabase("who changes a hash by other means ends the old token", async (options) => {
  const change = async (statement: string) => {
    const { databaseUrl, dataDir } = options;
    const database = await (databaseUrl ? openPostgres(databaseUrl) : openPglite(dataDir));
    await database.query(statement, []);
    await database.close();
  };
  const digestOf = async () => {
    const store = await Store.open(options);
    const found = await store.getRegistrationTokenDigest("a");
    await store.close();
    return found?.digest;
  };
  const store = await Store.open(options);
  await store.createExecutor(executor("a"), "hash", DIGEST);
  await store.close();
  await change("UPDATE executors SET description = 'new', registration_token_hash = 'hash'");
  assert.equal(await digestOf(), DIGEST, "another column, or the same hash, changes nothing");
  await change(
    "UPDATE executors SET registration_token_hash = '2', registration_token_digest = repeat('e', 64)",
  );
  assert.equal(await digestOf(), "e".repeat(64), "both may be changed together");
  await change("UPDATE executors SET registration_token_hash = '3'");
  assert.equal(await digestOf(), undefined);
});

function executor(exe_id: string) {
  return { exe_id, user_id: "u", display_name: "", description: "", default_cwd: "" };
}
