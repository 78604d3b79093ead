import assert from "node:assert/strict";
import { LeftBehind } from "../../src/switchboard/unread.ts";

const MAX = 1024;
const GRACE_MS = 15 * 60_000;

/** How many connections with so many bytes an owner may leave behind before it is too much. */
function howMany(bytes: number): number {
  const left = new LeftBehind(MAX);
  for (let n = 0;; n++) {
    if (left.isTooMuch("a")) return n;
    left.add("a", bytes);
  }
}

Deno.test("an owner may leave four times behind what may wait on a connection, however it is spread", () => {
  assert.equal(howMany(MAX), 4);
  assert.equal(howMany(MAX / 4), 16);
  assert.equal(howMany(1), 64, "each counts a sixteenth at the least");
  assert.equal(howMany(100 * MAX), 4, "and all of it at the most");
});

Deno.test("what one owner has left behind is nobody else's", () => {
  const left = new LeftBehind(MAX);
  for (let n = 0; n < 4; n++) left.add("a", MAX);
  assert.deepEqual([left.isTooMuch("a"), left.isTooMuch("b")], [true, false]);
  assert.deepEqual([left.count, left.bytes], [4, 4 * MAX]);
});

Deno.test("a connection whose peer took everything is forgotten at once, another after a while", () => {
  let now = 0;
  const left = new LeftBehind(MAX, () => now);
  const all = [0, 1, 2, 3].map(() => left.add("a", MAX));
  left.settle(all[0]!, false);
  assert.deepEqual([left.count, left.bytes, left.isTooMuch("a")], [4, 3 * MAX, true]);
  now = GRACE_MS - 1;
  assert.equal(left.isTooMuch("a"), true);
  now = GRACE_MS;
  assert.deepEqual([left.isTooMuch("a"), left.count], [false, 3]);
  for (const remainder of all.slice(1)) left.settle(remainder, true);
  assert.deepEqual([left.count, left.bytes], [0, 0]);
});
