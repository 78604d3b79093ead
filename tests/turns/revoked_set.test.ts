import assert from "node:assert/strict";
import { RevokedSet } from "../../src/turns/revoked_set.ts";

const NOW = Math.floor(Date.now() / 1000);
const LIVE = NOW + 3600;
const EXPIRED = NOW - 3600;

Deno.test("a revoked turn is in the set, any other is not", () => {
  const set = new RevokedSet();
  assert.equal(set.add("turn_1", LIVE), false);
  assert(set.contains("turn_1"));
  for (const other of ["turn_2", "turn_", "TURN_1", ""]) assert(!set.contains(other));
  assert.equal(set.size, 1);
});

Deno.test("an expired turn stays in the set until it is pruned", () => {
  const set = new RevokedSet();
  set.add("turn_1", EXPIRED);
  assert(set.contains("turn_1"));
  set.prune();
  assert(!set.contains("turn_1"));
});

Deno.test("a set holds ten thousand turns when nothing else is said", () => {
  const set = new RevokedSet();
  for (let i = 0; i < 10_000; i++) assert.equal(set.add(`turn_${i}`, LIVE), false);
  assert.equal(set.size, 10_000);
  assert.equal(set.add("one more", LIVE), true);
  assert.equal(set.size, 10_000);
  assert(!set.contains("turn_0"));
  assert(set.contains("turn_1"));
});

Deno.test("at capacity the turn that was added first makes room, not the one to expire first", () => {
  const set = new RevokedSet(2);
  set.add("first", LIVE + 1000);
  set.add("second", EXPIRED);
  assert.equal(set.add("third", LIVE), true);
  assert.deepEqual(["first", "second", "third"].map((turn) => set.contains(turn)), [
    false,
    true,
    true,
  ]);
});

Deno.test("evictedLive tells whether the turn that made room was still revoked", () => {
  const set = new RevokedSet(1);
  assert.equal(set.add("expired", EXPIRED), false, "there was room");
  assert.equal(set.add("live", LIVE), false, "an expired one made room");
  assert.equal(set.add("other", LIVE), true, "a live one made room");
  assert.equal(set.size, 1);
});

Deno.test("adding a turn again makes it the newest and evicts nothing", () => {
  const set = new RevokedSet(2);
  set.add("first", LIVE);
  set.add("second", LIVE);
  assert.equal(set.add("first", LIVE), false);
  assert.equal(set.size, 2);
  set.add("third", LIVE);
  assert(set.contains("first"));
  assert(!set.contains("second"));
});

Deno.test("adding a turn again never makes its revocation end sooner", () => {
  const set = new RevokedSet();
  set.add("turn", 2_000);
  set.add("turn", 1_000);
  set.prune(1_500);
  assert(set.contains("turn"));
  set.add("turn", 3_000);
  set.prune(2_500);
  assert(set.contains("turn"), "but it can make it end later");
});

Deno.test("a revocation holds up to and including its exp, as its token does", () => {
  const set = new RevokedSet();
  set.add("turn", 1_000);
  set.prune(999);
  assert(set.contains("turn"));
  set.prune(1_000);
  assert(set.contains("turn"));
  set.prune(1_001);
  assert(!set.contains("turn"));
});

Deno.test("pruning takes all that have expired and no other", () => {
  const set = new RevokedSet();
  for (let i = 0; i < 100; i++) set.add(`turn_${i}`, i % 2 === 0 ? EXPIRED : LIVE);
  set.prune();
  assert.equal(set.size, 50);
  assert(!set.contains("turn_0"));
  assert(set.contains("turn_1"));
});

Deno.test("a capacity that is no whole number of at least 1 is a RangeError", () => {
  for (const cap of [0, -1, 1.5, NaN, Infinity, -Infinity]) {
    assert.throws(() => new RevokedSet(cap), RangeError, String(cap));
  }
});

Deno.test("the pruner prunes at its interval, and no more once it is stopped", async () => {
  const set = new RevokedSet();
  const stop = new AbortController();
  set.startPruner(stop.signal, 2);
  for (const turn of ["first round", "second round"]) {
    set.add(turn, EXPIRED);
    await ticks(() => !set.contains(turn));
  }
  stop.abort();
  set.add("too late", EXPIRED);
  let count = 0;
  await ticks(() => ++count === 10);
  assert(set.contains("too late"));
});

Deno.test("a pruner that is stopped already never starts", async () => {
  const set = new RevokedSet();
  set.startPruner(AbortSignal.abort(), 1);
  set.add("turn", EXPIRED);
  let count = 0;
  await ticks(() => ++count === 10);
  assert(set.contains("turn"));
});

Deno.test("the pruner does not keep the process alive", async () => {
  const module = new URL("../../src/turns/revoked_set.ts", import.meta.url);
  const code = `
    import { RevokedSet } from ${JSON.stringify(module.href)};
    new RevokedSet().startPruner(new AbortController().signal, 3_600_000);
    console.log("started");
  `;
  const { code: exitCode, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", code],
    signal: AbortSignal.timeout(10_000),
  }).output();
  assert.equal(new TextDecoder().decode(stdout), "started\n");
  assert.equal(exitCode, 0, "it had to be killed");
});

/** Waits for a condition, asking every 2 ms; a test that waits too long fails. */
async function ticks(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    if (condition()) return;
  }
  assert.fail("the condition never held");
}
