import assert from "node:assert/strict";
import { DatabaseUnavailableError } from "../../src/store/database.ts";
import {
  ExecutorExistsError,
  ExecutorNotFoundError,
  InvalidTextError,
  type NewExecutor,
  Store,
} from "../../src/store/store.ts";
import { forEachDatabase } from "../support/databases.ts";

forEachDatabase("the store keeps its promises", async (options, context) => {
  const store = await Store.open(options);
  try {
    for (const [name, test] of Object.entries(promises)) {
      // Ids begin with the promise's own, so that no two share an executor or a workspace.
      const prefix = crypto.randomUUID();
      await context.step(name, () => test(store, (id) => `${prefix}-${id}`));
    }
  } finally {
    await store.close();
  }
});

/** Makes an id, or an executor with it, that is the test's own. */
type Own = (id: string) => string;

const promises: Record<string, (store: Store, own: Own) => Promise<void>> = {
  async "a created executor is returned as it was given"(store, own) {
    const given = executor(own("a"), {
      display_name: "Ánna's “machine” 🖥",
      description: "line one\nline two; DROP TABLE executors --",
      default_cwd: "/home/anna/'quoted' \\path",
    });
    const before = Date.now();
    await store.createExecutor(given, "hash");
    const { registered_at, ...rest } = await store.getExecutor(own("a")) ?? assert.fail();
    assert.deepEqual(rest, given);
    assert.equal(new Date(registered_at).toISOString(), registered_at);
    assert.ok(Math.abs(Date.parse(registered_at) - before) < 60_000);
  },

  async "an unknown executor is undefined, as is its hash"(store, own) {
    assert.equal(await store.getExecutor(own("a")), undefined);
    assert.equal(await store.getRegistrationTokenHash(own("a")), undefined);
  },

  async "an id is taken once"(store, own) {
    await store.createExecutor(executor(own("a")), "first");
    await assert.rejects(store.createExecutor(executor(own("a")), "second"), ExecutorExistsError);
    assert.equal(await store.getRegistrationTokenHash(own("a")), "first");
  },

  async "of two that create the same executor at once, one succeeds"(store, own) {
    const results = await Promise.allSettled(
      ["one", "two", "three"].map((hash) => store.createExecutor(executor(own("a")), hash)),
    );
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
    for (const result of results) {
      if (result.status === "rejected") assert.ok(result.reason instanceof ExecutorExistsError);
    }
  },

  async "a deleted executor is gone with its bindings"(store, own) {
    await store.createExecutor(executor(own("a")), "hash");
    await store.bindWorkspaceExecutor(own("w"), own("a"), true);
    assert.equal(await store.deleteExecutor(own("a")), true);
    assert.equal(await store.deleteExecutor(own("a")), false);
    assert.equal(await store.getExecutor(own("a")), undefined);
    assert.deepEqual(await store.listWorkspaceExecutors(own("w")), []);
    await store.createExecutor(executor(own("a")), "hash");
    assert.deepEqual(await store.listWorkspaceExecutors(own("w")), []);
  },

  async "an unknown executor is not bound"(store, own) {
    await store.createExecutor(executor(own("a")), "hash");
    await store.bindWorkspaceExecutor(own("w"), own("a"), true);
    for (const isDefault of [true, false]) {
      await assert.rejects(
        store.bindWorkspaceExecutor(own("w"), own("unknown"), isDefault),
        ExecutorNotFoundError,
      );
    }
    assert.deepEqual(defaults(await store.listWorkspaceExecutors(own("w"))), [own("a")]);
  },

  async "bindings are listed in the order of binding, with what the executor is"(store, own) {
    for (const id of ["c", "a", "b"]) {
      await store.createExecutor(
        executor(own(id), { display_name: `the ${id}`, description: id, default_cwd: `/${id}` }),
        "hash",
      );
      await store.bindWorkspaceExecutor(own("w"), own(id), id === "a");
    }
    assert.deepEqual(
      await store.listWorkspaceExecutors(own("w")),
      ["c", "a", "b"].map((id) => ({
        exe_id: own(id),
        name: `the ${id}`,
        description: id,
        default_cwd: `/${id}`,
        is_default: id === "a",
      })),
    );
    assert.deepEqual(await store.listWorkspaceExecutors(own("other")), []);
  },

  async "binding again changes the default and keeps the place"(store, own) {
    await bindAll(store, own, ["a", "b", "c"]);
    await store.bindWorkspaceExecutor(own("w"), own("b"), true);
    await store.bindWorkspaceExecutor(own("w"), own("a"), true);
    const list = await store.listWorkspaceExecutors(own("w"));
    assert.deepEqual(list.map(({ exe_id }) => exe_id), ["a", "b", "c"].map(own));
    assert.deepEqual(defaults(list), [own("a")]);

    await store.bindWorkspaceExecutor(own("w"), own("a"), true);
    assert.deepEqual(defaults(await store.listWorkspaceExecutors(own("w"))), [own("a")]);
    await store.bindWorkspaceExecutor(own("w"), own("a"), false);
    assert.deepEqual(defaults(await store.listWorkspaceExecutors(own("w"))), []);
  },

  async "each workspace has a default of its own"(store, own) {
    await bindAll(store, own, ["a", "b"]);
    await store.bindWorkspaceExecutor(own("w"), own("a"), true);
    await store.bindWorkspaceExecutor(own("v"), own("b"), true);
    assert.deepEqual(defaults(await store.listWorkspaceExecutors(own("w"))), [own("a")]);
    assert.deepEqual(defaults(await store.listWorkspaceExecutors(own("v"))), [own("b")]);
  },

  async "of many that become the default at once, all succeed and one is it"(store, own) {
    const ids = Array.from({ length: 8 }, (_, i) => `e${i}`);
    for (const id of ids) await store.createExecutor(executor(own(id)), "hash");
    for (let round = 0; round < 3; round++) {
      await Promise.all([
        ...ids.map((id) => store.bindWorkspaceExecutor(own("w"), own(id), true)),
        ...ids.slice(0, 2).map((id) => store.bindWorkspaceExecutor(own("w"), own(id), false)),
      ]);
      const list = await store.listWorkspaceExecutors(own("w"));
      assert.equal(list.length, ids.length);
      // None, if the last default was one of the two that were then bound as not being it.
      assert.ok(defaults(list).length <= 1);
      await Promise.all(
        ids.map((id) => store.bindWorkspaceExecutor(own("w"), own(id), true)),
      );
      assert.equal(defaults(await store.listWorkspaceExecutors(own("w"))).length, 1);
    }
  },

  async "binding and deleting at once leaves no binding without executor"(store, own) {
    for (let round = 0; round < 10; round++) {
      await store.createExecutor(executor(own("a")), "hash");
      const [bound] = await Promise.allSettled([
        store.bindWorkspaceExecutor(own("w"), own("a"), true),
        store.deleteExecutor(own("a")),
      ]);
      if (bound.status === "rejected") assert.ok(bound.reason instanceof ExecutorNotFoundError);
      assert.deepEqual(await store.listWorkspaceExecutors(own("w")), []);
    }
  },

  async "an unbound executor is no longer listed, and binds anew at the end"(store, own) {
    await bindAll(store, own, ["a", "b"]);
    assert.equal(await store.unbindWorkspaceExecutor(own("w"), own("a")), true);
    assert.equal(await store.unbindWorkspaceExecutor(own("w"), own("a")), false);
    assert.deepEqual(ids(await store.listWorkspaceExecutors(own("w"))), [own("b")]);
    assert.notEqual(await store.getExecutor(own("a")), undefined);
    await store.bindWorkspaceExecutor(own("w"), own("a"), false);
    assert.deepEqual(ids(await store.listWorkspaceExecutors(own("w"))), [own("b"), own("a")]);
  },

  async "the connected ones are the bound ones among those given"(store, own) {
    await bindAll(store, own, ["c", "b", "a"]);
    await store.createExecutor(executor(own("unbound")), "hash");
    const list = await store.connectedExecutorsForWorkspace(
      own("w"),
      ["a", "unbound", "c", "c", "unknown"].map(own),
    );
    assert.deepEqual(ids(list), [own("c"), own("a")]);
    assert.deepEqual(await store.connectedExecutorsForWorkspace(own("w"), []), []);
    assert.deepEqual(await store.connectedExecutorsForWorkspace(own("v"), [own("a")]), []);
  },

  async "ten thousand connected ones are looked up in one go"(store, own) {
    await bindAll(store, own, ["a", "b"]);
    const many = Array.from({ length: 10_000 }, () => `exe_${crypto.randomUUID()}`);
    const list = await store.connectedExecutorsForWorkspace(own("w"), [own("b"), ...many]);
    assert.deepEqual(ids(list), [own("b")]);
    await store.updateLastSeen(...many, own("a"));
    assert.notEqual((await store.getExecutor(own("a")))?.last_seen_at, undefined);
  },

  async "ids with characters that mean something in an array literal are found"(store, own) {
    const odd = ["{a}", 'b"c', "d\\e", "f,g", "NULL", "é 🖥"];
    await bindAll(store, own, odd);
    const list = await store.connectedExecutorsForWorkspace(own("w"), odd.map(own));
    assert.deepEqual(ids(list), odd.map(own));
  },

  async "last_seen_at is absent until the executor was seen"(store, own) {
    await bindAll(store, own, ["a", "b"]);
    assert.equal("last_seen_at" in (await store.getExecutor(own("a")) ?? {}), false);
    const before = Date.now();
    await store.updateLastSeen(own("a"), own("unknown"));
    await store.updateLastSeen();
    const seen = (await store.getExecutor(own("a")))?.last_seen_at ?? assert.fail();
    assert.equal(new Date(seen).toISOString(), seen);
    assert.ok(Math.abs(Date.parse(seen) - before) < 60_000);
    const [a, b] = await store.connectedExecutorsForWorkspace(own("w"), [own("a"), own("b")]);
    assert.equal(a?.last_seen_at, seen);
    assert.equal("last_seen_at" in (b ?? {}), false);
  },

  async "a text that PostgreSQL cannot keep is refused by name"(store, own) {
    for (const text of ["a\0b", "half \ud83d"]) {
      const described = executor(own("a"), { description: text });
      await assert.rejects(store.createExecutor(described, "hash"), InvalidTextError);
      await assert.rejects(store.getExecutor(text), InvalidTextError);
      await assert.rejects(store.bindWorkspaceExecutor(text, own("a"), true), InvalidTextError);
      await assert.rejects(store.connectedExecutorsForWorkspace("w", [text]), InvalidTextError);
    }
    assert.equal(await store.getExecutor(own("a")), undefined);
  },

  async "many at once are all answered"(store, own) {
    const many = Array.from({ length: 100 }, (_, i) => own(`e${i}`));
    await Promise.all(many.map((id) => store.createExecutor(executor(id), `hash ${id}`)));
    const hashes = await Promise.all(many.map((id) => store.getRegistrationTokenHash(id)));
    assert.deepEqual(hashes, many.map((id) => `hash ${id}`));
    await store.ping();
  },
};

forEachDatabase("what was stored is there after a restart", async (options) => {
  const first = await Store.open(options);
  await first.createExecutor(executor("a"), "hash");
  await first.close();
  const second = await Store.open(options);
  try {
    assert.equal(await second.getRegistrationTokenHash("a"), "hash");
  } finally {
    await second.close();
  }
});

forEachDatabase("closing waits for what is in hand, then refuses", async (options) => {
  const store = await Store.open(options);
  await store.createExecutor(executor("a"), "hash");
  // More than there are connections, so that some are still waiting for one.
  const inHand = Array.from({ length: 30 }, () => store.getExecutor("a"));
  const binding = store.bindWorkspaceExecutor("w", "a", true);
  await Promise.all([store.close(), store.close()]);
  for (const found of await Promise.all(inHand)) assert.equal(found?.exe_id, "a");
  await binding;
  await assert.rejects(store.ping(), DatabaseUnavailableError);
  await assert.rejects(store.bindWorkspaceExecutor("w", "a", true), DatabaseUnavailableError);
  await store.close();
});

function executor(exe_id: string, details: Partial<NewExecutor> = {}): NewExecutor {
  return { exe_id, user_id: "u", display_name: "", description: "", default_cwd: "", ...details };
}

/** Creates an executor for each of `names` and binds it to the workspace `w`. */
async function bindAll(store: Store, own: Own, names: string[]): Promise<void> {
  for (const name of names) {
    await store.createExecutor(executor(own(name)), "hash");
    await store.bindWorkspaceExecutor(own("w"), own(name), false);
  }
}

function ids(list: { exe_id: string }[]): string[] {
  return list.map(({ exe_id }) => exe_id);
}

function defaults(list: { exe_id: string; is_default: boolean }[]): string[] {
  return ids(list.filter(({ is_default }) => is_default));
}
