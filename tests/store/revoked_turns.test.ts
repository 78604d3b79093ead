import assert from "node:assert/strict";
import { Store } from "../../src/store/store.ts";
import { forEachDatabase } from "../support/databases.ts";

const now = Math.floor(Date.now() / 1000);

forEachDatabase("revoked turns are kept until their time is over", async (options) => {
  const store = await Store.open(options);
  try {
    await store.revokeTurn("first", now + 60);
    await store.revokeTurn("second", now + 60);
    await store.revokeTurn("over", now - 60);
    assert.equal(await store.isTurnRevoked("first"), true);
    assert.equal(await store.isTurnRevoked("over"), false);
    assert.equal(await store.isTurnRevoked("never"), false);
    assert.deepEqual(await store.revokedTurns(10), [
      { turn_id: "second", exp: now + 60 },
      { turn_id: "first", exp: now + 60 },
    ]);
    assert.deepEqual((await store.revokedTurns(1)).map(({ turn_id }) => turn_id), ["second"]);

    // Again, sooner: it must not end sooner. Again, later: it ends later, and is the newest.
    await store.revokeTurn("first", now - 60);
    assert.equal(await store.isTurnRevoked("first"), true);
    await store.revokeTurn("first", now + 600);
    assert.deepEqual((await store.revokedTurns(1))[0], { turn_id: "first", exp: now + 600 });
  } finally {
    await store.close();
  }
});

forEachDatabase("pruning forgets what is over, and nothing else", async (options) => {
  const store = await Store.open(options);
  try {
    await store.revokeTurn("over", now - 60);
    await store.revokeTurn("live", now + 60);
    await store.pruneRevokedTurns();
    // What was forgotten can be revoked again, for as short as one likes.
    await store.revokeTurn("over", now - 30);
    assert.equal(await store.isTurnRevoked("over"), false);
    assert.equal(await store.isTurnRevoked("live"), true);
  } finally {
    await store.close();
  }
});
