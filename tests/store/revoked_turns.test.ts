import assert from "node:assert/strict";
import { Store } from "../../src/store/store.ts";
import { forEachDatabase } from "../support/databases.ts";

const now = Math.floor(Date.now() / 1000);

forEachDatabase(
  "a revoked turn is kept for its time, and never for shorter than before",
  async (options) => {
    const store = await Store.open(options);
    try {
      const until = await store.revokeTurn("first", 60);
      assert.ok(until >= now + 60 && until < now + 3_600, String(until));
      assert.equal(await store.revokeTurn("second", 60, now + 9_000), now + 9_000);
      assert.equal(await store.isTurnRevoked("first"), true);
      assert.equal(await store.isTurnRevoked("never"), false);
      assert.deepEqual(await store.revokedTurns(10), [
        { turn_id: "second", exp: now + 9_000 },
        { turn_id: "first", exp: until },
      ]);
      assert.deepEqual((await store.revokedTurns(1)).map(({ turn_id }) => turn_id), ["second"]);
      // Again, for shorter; again, for longer: then it is the newest.
      assert.ok(await store.revokeTurn("first", 1, now - 60) >= until);
      assert.equal(await store.revokeTurn("first", 1, now + 600_000), now + 600_000);
      assert.equal((await store.revokedTurns(1))[0]?.turn_id, "first");
    } finally {
      await store.close();
    }
  },
);

forEachDatabase(
  "pruning forgets what is over by both clocks, and nothing else",
  async (options) => {
    const store = await Store.open(options);
    try {
      await store.revokeTurn("over", -120);
      await store.revokeTurn("live", 60);
      // The gateway's clock is behind: it is not over.
      await store.pruneRevokedTurns(now - 86_400);
      assert.equal(await store.isTurnRevoked("over"), true);
      // The gateway's clock has jumped ahead by a year: what is live by the database's stays.
      await store.pruneRevokedTurns(now + 366 * 86_400);
      assert.equal(await store.isTurnRevoked("over"), false);
      assert.equal(await store.isTurnRevoked("live"), true);
    } finally {
      await store.close();
    }
  },
);
