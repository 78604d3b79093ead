import assert from "node:assert/strict";
import { BufferBudget, defaultBudget } from "../../src/switchboard/buffer_budget.ts";
import { Clock } from "../support/clock.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

Deno.test("a quarter of the memory that there is, or 512 MiB", () => {
  assert.equal(defaultBudget(256 * MIB), 64 * MIB);
  assert.equal(defaultBudget(undefined), 512 * MIB);
});

Deno.test("while there is room for all, nobody has too much", () => {
  const budget = budgetOf(MIB, [900 * KIB, 100 * KIB]);
  assert.equal(budget.isOver(900 * KIB), false);
});

Deno.test("those with the most are over it first, down to a level at which there is room for all", () => {
  // 100 and 200 KiB leave 1,700 of 2,000 to the other two.
  const budget = budgetOf(2_000 * KIB, [3_000 * KIB, 100 * KIB, 900 * KIB, 200 * KIB]);
  const over = [100, 200, 849, 851, 900, 3_000].map((waiting) => budget.isOver(waiting * KIB));
  assert.deepEqual(over, [false, false, false, true, true, true]);
  assert.equal(budget.isOver(426 * KIB, 0.5), true);
  assert.equal(budget.isOver(424 * KIB, 0.5), false);
});

Deno.test("what was left behind takes of the room, and leaves 64 KiB to each", () => {
  const budget = budgetOf(MIB, [500 * KIB, 500 * KIB], 900 * KIB);
  assert.deepEqual([64, 65].map((waiting) => budget.isOver(waiting * KIB)), [false, true]);
});

Deno.test("what waits less than when it was last asked is asked again, but not for each frame", () => {
  using clock = new Clock();
  let asked = 0;
  const peer = {
    lastBufferedAmount: 2 * MIB,
    get bufferedAmount() {
      asked++;
      budget.change(-MIB);
      return MIB;
    },
  };
  const budget = new BufferBudget(MIB + KIB, [peer], { bytes: 0 });
  budget.change(3 * MIB);
  assert.equal(budget.isOver(2 * MIB), false, "its peers have taken something meanwhile");
  budget.isOver(2 * MIB);
  assert.equal(asked, 1);
  clock.advance(1_000);
  budget.isOver(2 * MIB);
  assert.equal(asked, 2);
});

function budgetOf(max: number, waiting: readonly number[], left = 0): BufferBudget {
  const peers = waiting.map((bytes) => ({ bufferedAmount: bytes, lastBufferedAmount: bytes }));
  const budget = new BufferBudget(max, peers, { bytes: left });
  for (const bytes of waiting) budget.change(bytes);
  return budget;
}
