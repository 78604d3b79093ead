import assert from "node:assert/strict";
import { ConnRegistry, REMEMBERED_MS } from "../../src/switchboard/conn_registry.ts";
import { Clock } from "../support/clock.ts";

/** The registry asks nothing of a connection but that it is itself. */
const conn = (name: string) => ({ name });

const never = new AbortController().signal;

Deno.test("a registered connection is the one that is looked up", () => {
  const registry = new ConnRegistry<object>();
  const one = conn("one"), two = conn("two");
  assert.equal(registry.register("exe_1", one), undefined);
  assert.equal(registry.register("exe_2", two), undefined);
  assert.equal(registry.lookup("exe_1"), one);
  assert.equal(registry.lookup("exe_2"), two);
  assert.equal(registry.lookup("exe_3"), undefined);
});

Deno.test("registering anew evicts the connection before it, for the caller to close", () => {
  const registry = new ConnRegistry<object>();
  const old = conn("old"), young = conn("young");
  registry.register("exe_1", old);
  assert.equal(registry.register("exe_1", young), old);
  assert.equal(registry.lookup("exe_1"), young);
  assert.deepEqual(registry.connectedIds(), ["exe_1"]);
});

Deno.test("unregistering removes the connection", () => {
  const registry = new ConnRegistry<object>();
  const one = conn("one");
  registry.register("exe_1", one);
  assert.equal(registry.unregister("exe_1", one), true);
  assert.equal(registry.lookup("exe_1"), undefined);
  assert.equal(registry.unregister("exe_1", one), false, "it is gone already");
  assert.equal(registry.unregister("exe_2", one), false, "it never was there");
});

Deno.test("the end of an old connection does not remove its successor", () => {
  const registry = new ConnRegistry<object>();
  const old = conn("same"), young = conn("same");
  registry.register("exe_1", old);
  registry.register("exe_1", young);
  assert.equal(registry.unregister("exe_1", old), false);
  assert.equal(registry.lookup("exe_1"), young);
  assert.equal(registry.leftMsAgo("exe_1"), undefined);
});

Deno.test("connectedIds is a snapshot", () => {
  const registry = new ConnRegistry<object>();
  const one = conn("one");
  registry.register("exe_1", one);
  registry.register("exe_2", conn("two"));
  const ids = registry.connectedIds();
  registry.unregister("exe_1", one);
  assert.deepEqual(ids, ["exe_1", "exe_2"]);
  assert.deepEqual(registry.connectedIds(), ["exe_2"]);
  ids.push("exe_3");
  assert.deepEqual(registry.connectedIds(), ["exe_2"]);
  assert.deepEqual(new ConnRegistry().connectedIds(), []);
});

Deno.test("one session at a time holds an executor's bridge lock", () => {
  const registry = new ConnRegistry<object>();
  registry.register("exe_1", conn("one"));
  registry.register("exe_2", conn("two"));
  const first = {}, second = {};
  assert.equal(registry.acquireBridge("exe_1", first), true);
  assert.equal(registry.acquireBridge("exe_1", second), false);
  assert.equal(registry.acquireBridge("exe_1", first), false, "not even its holder, again");
  assert.equal(registry.acquireBridge("exe_2", second), true, "another executor has its own");
  registry.releaseBridge("exe_1", first);
  assert.equal(registry.acquireBridge("exe_1", second), true);
});

Deno.test("there is no lock to be had without a connection", () => {
  const registry = new ConnRegistry<object>();
  assert.equal(registry.acquireBridge("exe_1", {}), false);
  const one = conn("one");
  registry.register("exe_1", one);
  registry.unregister("exe_1", one);
  assert.equal(registry.acquireBridge("exe_1", {}), false);
});

Deno.test("releasing is idempotent, and harmless where nothing is held", () => {
  const registry = new ConnRegistry<object>();
  const first = {}, second = {};
  registry.releaseBridge("exe_1", first);
  registry.register("exe_1", conn("one"));
  registry.releaseBridge("exe_1", first);
  registry.acquireBridge("exe_1", first);
  registry.releaseBridge("exe_1", first);
  registry.releaseBridge("exe_1", first);
  assert(registry.acquireBridge("exe_1", second));
  registry.releaseBridge("exe_1", first);
  assert.equal(registry.acquireBridge("exe_1", {}), false, "the second session still holds it");
});

Deno.test("registering anew frees the lock", () => {
  const registry = new ConnRegistry<object>();
  registry.register("exe_1", conn("old"));
  registry.acquireBridge("exe_1", {});
  registry.register("exe_1", conn("young"));
  assert.equal(registry.acquireBridge("exe_1", {}), true);
});

Deno.test("a session whose executor was replaced does not free its successor's lock", () => {
  const registry = new ConnRegistry<object>();
  const first = {}, second = {};
  registry.register("exe_1", conn("old"));
  registry.acquireBridge("exe_1", first);
  registry.register("exe_1", conn("young"));
  registry.acquireBridge("exe_1", second);
  registry.releaseBridge("exe_1", first);
  assert.equal(registry.acquireBridge("exe_1", {}), false);
});

Deno.test("unregistering ends the lock too", () => {
  const registry = new ConnRegistry<object>();
  const old = conn("old");
  registry.register("exe_1", old);
  registry.acquireBridge("exe_1", {});
  registry.unregister("exe_1", old);
  registry.register("exe_1", conn("young"));
  assert.equal(registry.acquireBridge("exe_1", {}), true);
});

Deno.test("who waits for a connected executor has it at once", async () => {
  const registry = new ConnRegistry<object>();
  const one = conn("one");
  registry.register("exe_1", one);
  assert.equal(await registry.waitFor("exe_1", 0, never), one);
  assert.equal(await registry.waitFor("exe_1", 0, AbortSignal.abort()), one);
});

Deno.test("all who wait for an executor have it as soon as it dials in", async () => {
  const registry = new ConnRegistry<object>();
  const one = conn("one");
  const waiting = Array.from({ length: 50 }, () => registry.waitFor("exe_1", 60_000, never));
  const other = registry.waitFor("exe_2", 5, never);
  registry.register("exe_1", one);
  for (const found of await Promise.all(waiting)) assert.equal(found, one);
  assert.equal(await other, undefined, "another executor is not the one");
});

Deno.test("who waited finds the executor registered, and its lock free", async () => {
  const registry = new ConnRegistry<object>();
  const locked = [1, 2].map(async () => {
    await registry.waitFor("exe_1", 60_000, never);
    return registry.acquireBridge("exe_1", {});
  });
  registry.register("exe_1", conn("one"));
  assert.deepEqual(await Promise.all(locked), [true, false]);
});

Deno.test("who waits too long has nothing", async () => {
  const registry = new ConnRegistry<object>();
  const start = performance.now();
  assert.equal(await registry.waitFor("exe_1", 30, never), undefined);
  const waited = performance.now() - start;
  assert(waited >= 25, `waited ${waited} ms only`);
  // The one that came too late is registered all the same.
  registry.register("exe_1", conn("late"));
  assert(registry.lookup("exe_1"));
});

Deno.test("waiting ends with its signal, and not with another's", async () => {
  const registry = new ConnRegistry<object>();
  const one = conn("one");
  assert.equal(await registry.waitFor("exe_1", 60_000, AbortSignal.abort()), undefined);
  const gone = new AbortController(), stays = new AbortController();
  const first = registry.waitFor("exe_1", 600_000, gone.signal);
  const second = registry.waitFor("exe_1", 60_000, stays.signal);
  gone.abort();
  assert.equal(await first, undefined);
  registry.register("exe_1", one);
  assert.equal(await second, one);
});

Deno.test("one who waits again, after a disappointment, is served", async () => {
  const registry = new ConnRegistry<object>();
  const one = conn("one");
  await registry.waitFor("exe_1", 1, never);
  const again = registry.waitFor("exe_1", 60_000, never);
  registry.register("exe_1", one);
  assert.equal(await again, one);
});

Deno.test("an executor's leaving is remembered for a while, until it is back", () => {
  using clock = new Clock();
  const registry = new ConnRegistry<object>();
  const one = conn("one"), other = conn("other");
  assert.equal(registry.leftMsAgo("exe_1"), undefined, "it was never there");
  registry.register("exe_1", one);
  assert.equal(registry.leftMsAgo("exe_1"), undefined, "it is here");
  registry.unregister("exe_1", one);
  assert.equal(registry.leftMsAgo("exe_1"), 0);
  assert.equal(registry.leftMsAgo("exe_2"), undefined);
  clock.advance(1_000);
  assert.equal(registry.leftMsAgo("exe_1"), 1_000);
  registry.register("exe_1", other);
  assert.equal(registry.leftMsAgo("exe_1"), undefined, "it is back");
  registry.unregister("exe_1", other);
  clock.advance(500);
  assert.equal(registry.leftMsAgo("exe_1"), 500);
});

Deno.test("others that leave push out only those who left longer ago than is remembered", () => {
  using clock = new Clock();
  const registry = new ConnRegistry<object>();
  const leave = (exeId: string) => {
    const it = conn(exeId);
    registry.register(exeId, it);
    registry.unregister(exeId, it);
  };
  leave("long ago");
  clock.advance(REMEMBERED_MS);
  leave("just now");
  clock.advance(1);
  for (let i = 0; i < 100; i++) leave(`exe_${i}`);
  assert.equal(registry.leftMsAgo("long ago"), undefined);
  assert.equal(registry.leftMsAgo("just now"), 1);
  assert.equal(registry.leftMsAgo("exe_0"), 0);
});

Deno.test("an executor that is forgotten is not expected back", () => {
  using _clock = new Clock();
  const registry = new ConnRegistry<object>();
  const one = conn("one"), two = conn("two");
  registry.register("exe_1", one);
  registry.register("exe_2", two);
  registry.unregister("exe_1", one);
  registry.unregister("exe_2", two);
  registry.forget("exe_1");
  registry.forget("exe_3");
  assert.equal(registry.leftMsAgo("exe_1"), undefined);
  assert.equal(registry.leftMsAgo("exe_2"), 0);
});

Deno.test("who dials again of itself is known by the connection that it had", () => {
  using clock = new Clock();
  const registry = new ConnRegistry<{ name: string }>(({ name }) => name === "stubborn");
  const stubborn = conn("stubborn"), other = conn("other");
  registry.register("exe_1", stubborn);
  assert.equal(registry.dialsAgain("exe_1"), false, "it is here");
  registry.unregister("exe_1", stubborn);
  assert.equal(registry.dialsAgain("exe_1"), true);
  assert.equal(registry.dialsAgain("exe_2"), false);
  registry.register("exe_1", other);
  registry.unregister("exe_1", other);
  assert.equal(registry.dialsAgain("exe_1"), false);
  clock.advance(REMEMBERED_MS);
  assert.ok(REMEMBERED_MS >= 5 * 60_000, "as long as such a one is waited for");
});

Deno.test("nobody waits on for an executor that is forgotten", async () => {
  const registry = new ConnRegistry<object>();
  const waiting = [1, 2].map(() => registry.waitFor("exe_1", 60_000, never));
  const other = registry.waitFor("exe_2", 60_000, never);
  registry.forget("exe_1");
  assert.deepEqual(await Promise.all(waiting), [undefined, undefined]);
  const two = conn("two");
  registry.register("exe_2", two);
  assert.equal(await other, two);
});

Deno.test("a lock tells since when it is held", () => {
  using clock = new Clock();
  const registry = new ConnRegistry<object>();
  const holder = {};
  assert.equal(registry.heldSince("exe_1"), undefined);
  registry.register("exe_1", conn("one"));
  assert.equal(registry.heldSince("exe_1"), undefined);
  const before = Date.now();
  registry.acquireBridge("exe_1", holder);
  clock.advance(5_000);
  registry.acquireBridge("exe_1", {});
  assert.equal(registry.heldSince("exe_1")?.getTime(), before);
  registry.releaseBridge("exe_1", holder);
  assert.equal(registry.heldSince("exe_1"), undefined);
});
