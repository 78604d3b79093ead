/**
 * Migration 006, and the release before it beside the one that has it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { migrate } from "../../src/store/migrate.ts";
import { migrations } from "../../src/store/migrations.ts";
import { Store } from "../../src/store/store.ts";
import { forEachDatabase } from "../support/databases.ts";
import { withDatabase } from "../support/registrations.ts";

/** What the release before sends when an executor registers. */
const OLD_REGISTERS = `UPDATE executors SET registration_id = $2::text,
    registration_kind = $3::text, security_profile = $4::text, executor_public_key = $5::text
  WHERE exe_id = $1::text RETURNING exe_id`;

/** What it asks when an executor dials in, and when a harness connects. */
const OLD_READS =
  `SELECT registration_id, registration_kind AS kind, security_profile, executor_public_key
  FROM executors WHERE exe_id = $1::text AND registration_id IS NOT NULL`;

const BEFORE = migrations.filter(({ version }) => version < 6);

forEachDatabase("what was registered before the migration goes on", async (options) => {
  await withDatabase(options, async (database) => {
    await migrate(database, BEFORE);
    await database.query(
      `INSERT INTO executors (exe_id, user_id, registration_token_hash, last_seen_at) VALUES
         ('seen', 'u', 'h', now() - interval '1 minute'), ('long ago', 'u', 'h', now() - interval '1 hour'),
         ('never dialled', 'u', 'h', NULL), ('never registered', 'u', 'h', now())`,
      [],
    );
    for (const exeId of ["seen", "long ago", "never dialled"]) {
      await database.query(OLD_REGISTERS, [exeId, "reg_1", "noise", "p", '{"b":1,"a":2}']);
    }
  });
  const store = await Store.open(options);
  try {
    const registration = {
      registration_id: "reg_1",
      kind: "noise",
      security_profile: "p",
      executor_public_key: { b: 1, a: 2 },
    };
    const find = (exeId: string) => store.registrations.find(exeId, "reg_1");
    assert.deepEqual(await find("seen"), { registration, isFresh: true, tokenHash: "h" });
    assert.deepEqual(await find("never dialled"), { registration, isFresh: true, tokenHash: "h" });
    assert.deepEqual(await find("long ago"), { registration, isFresh: false, tokenHash: "h" });
    assert.equal(await find("never registered"), undefined);
    const same = await store.registrations.make("seen", {
      kind: "noise",
      security_profile: "p",
      executor_public_key: { b: 1, a: 2 },
    });
    assert.deepEqual(same, registration);
  } finally {
    await store.close();
  }
});

forEachDatabase(
  "the release before and this one see each other's registrations",
  async (options) => {
    let mine: string;
    const store = await Store.open(options);
    try {
      await store.createExecutor(
        { exe_id: "a", user_id: "u", display_name: "", description: "", default_cwd: "" },
        "hash",
      );
      const made = { kind: "noise", security_profile: "p", executor_public_key: { k: 1 } } as const;
      mine = (await store.registrations.make("a", made))!.registration_id;
    } finally {
      await store.close();
    }
    await withDatabase(options, async (database) => {
      assert.deepEqual(await database.query(OLD_READS, ["a"]), [{
        registration_id: mine,
        kind: "noise",
        security_profile: "p",
        executor_public_key: '{"k":1}',
      }]);
      await database.query(OLD_REGISTERS, ["a", "reg_old", "relay", null, null]);
      const [newest] = await database.query<{ registration_id: string }>(OLD_READS, ["a"]);
      assert.equal(newest?.registration_id, "reg_old");
    });
    const again = await Store.open(options);
    try {
      assert.deepEqual(await again.registrations.find("a", "reg_old"), {
        registration: { registration_id: "reg_old", kind: "relay" },
        isFresh: true,
        tokenHash: "hash",
      });
      assert.ok(await again.registrations.find("a", mine), "the other one is good as before");
    } finally {
      await again.close();
    }
  },
);
