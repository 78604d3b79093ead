import assert from "node:assert/strict";
import { FairQueue } from "../../src/limits/fair_queue.ts";

Deno.test("owners take turns, and each one's items stay in order", () => {
  const queue = new FairQueue<string>();
  for (const item of ["a1", "a2", "a3", "b1", "c1", "b2"]) queue.push(item[0]!, item);
  assert.equal(queue.size, 6);
  const served = [queue.shift(), queue.shift()];
  // One that comes back waits for its turn.
  queue.push("a", "a4");
  while (queue.size > 0) served.push(queue.shift());
  assert.deepEqual(served, ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]);
  assert.equal(queue.shift(), undefined);
});
