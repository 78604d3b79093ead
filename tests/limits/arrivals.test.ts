import assert from "node:assert/strict";
import { Pacer } from "../../src/limits/arrivals.ts";

Deno.test("who comes alone does not wait", async () => {
  const pacer = new Pacer();
  for (let i = 0; i < 3; i++) {
    assert.equal(pacer.turn("a"), undefined);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
});

Deno.test("of some who come at once, all pass in their order, one at a time", async () => {
  const { passed, mostAtOnce } = await passAtOnce(50);
  assert.deepEqual(passed, Array.from({ length: 50 }, (_, i) => i));
  assert.equal(mostAtOnce, 1);
});

Deno.test("of very many, more pass at a time, so that nobody waits too long", async () => {
  const started = performance.now();
  const { passed, mostAtOnce } = await passAtOnce(6_000);
  const seconds = (performance.now() - started) / 1000;
  assert.equal(passed.length, 6_000);
  assert.ok(mostAtOnce >= 4, `${mostAtOnce} at once`);
  // One at a time they would take 24 s at the least.
  assert.ok(seconds < 24, `${seconds} s`);
});

Deno.test("a flood of one source keeps nobody else waiting", async () => {
  const pacer = new Pacer();
  let before = 0;
  const flood = Array.from({ length: 500 }, async () => {
    await pacer.turn("flood");
    before++;
  });
  await pacer.turn("other");
  assert.ok(before <= 2, `${before} of the flood passed before`);
  await Promise.all(flood);
  await new Promise((resolve) => setTimeout(resolve, 30));
});

/** Has so many wait for their turns, and sees how many had theirs together. */
async function passAtOnce(count: number): Promise<{ passed: number[]; mostAtOnce: number }> {
  const pacer = new Pacer();
  const passed: number[] = [];
  let atOnce = 0;
  let mostAtOnce = 0;
  await Promise.all(Array.from({ length: count }, async (_, i) => {
    await pacer.turn("a");
    passed.push(i);
    mostAtOnce = Math.max(mostAtOnce, ++atOnce);
    // After all microtasks, and before the next timer.
    setTimeout(() => atOnce = 0);
  }));
  await new Promise((resolve) => setTimeout(resolve, 30));
  return { passed, mostAtOnce };
}
