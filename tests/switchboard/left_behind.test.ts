import assert from "node:assert/strict";
import { LeftBehind } from "../../src/switchboard/left_behind.ts";

const MAX = 1000;
const GRACE_MS = 15 * 60_000;

Deno.test("an owner may leave three connections behind, whatever they hold", () => {
  const left = new LeftBehind(MAX);
  for (let n = 0; n < 3; n++) left.add("a", 100 * MAX);
  assert.equal(left.isTooMuch("a"), false);
  left.add("a", 1);
  assert.equal(left.isTooMuch("a"), true);
  assert.equal(left.isTooMuch("b"), false);
  assert.deepEqual([left.count, left.bytes], [4, 300 * MAX + 1]);
});

Deno.test("an owner may leave more than four behind while they hold little, and 63 at most", () => {
  const left = new LeftBehind(MAX);
  for (let n = 0; n < 4; n++) left.add("a", MAX);
  assert.equal(left.isTooMuch("a"), false);
  left.add("a", 1);
  assert.equal(left.isTooMuch("a"), true);
  for (let n = 0; n < 63; n++) left.add("b", 1);
  assert.equal(left.isTooMuch("b"), false);
  left.add("b", 1);
  assert.equal(left.isTooMuch("b"), true);
});

Deno.test("a doubtful connection counts against its owner, though it is not known to hold anything", () => {
  const left = new LeftBehind(MAX);
  for (let n = 0; n < 4; n++) left.settle(left.add("a", 2 * MAX), false);
  assert.deepEqual([left.count, left.bytes], [4, 0]);
  assert.equal(left.isTooMuch("a"), true);
  left.prune(performance.now() + GRACE_MS);
  assert.equal(left.isTooMuch("a"), false);
});

Deno.test("a connection whose peer took everything is forgotten at once, another after a while", () => {
  const left = new LeftBehind(MAX);
  const [taken, doubtful, stays] = [1, 2, 4].map((bytes) => left.add("a", bytes));
  left.settle(taken!, true);
  assert.deepEqual([left.count, left.bytes], [2, 6]);
  left.settle(doubtful!, false);
  left.prune();
  assert.deepEqual([left.count, left.bytes], [2, 4]);
  left.prune(performance.now() + GRACE_MS - 1000);
  assert.deepEqual([left.count, left.bytes], [2, 4]);
  left.prune(performance.now() + GRACE_MS);
  assert.deepEqual([left.count, left.bytes], [1, 4]);
  left.settle(stays!, true);
  assert.deepEqual([left.count, left.bytes], [0, 0]);
});
