import assert from "node:assert/strict";
import { SingleUse } from "../../src/auth/single_use.ts";

const soon = Math.floor(Date.now() / 1000) + 60;

Deno.test("an id is used once, another one is not affected", () => {
  const used = new SingleUse();
  assert.equal(used.use("a", soon), true);
  assert.equal(used.use("a", soon), false);
  assert.equal(used.use("b", soon), true);
});

Deno.test("what has expired by itself is forgotten, what has not is kept", () => {
  const used = new SingleUse();
  used.use("old", soon - 120);
  used.use("live", soon);
  assert.equal(used.use("old", soon), true);
  assert.equal(used.use("live", soon), false);
});

Deno.test("an id that is given back can be used again", () => {
  const used = new SingleUse();
  used.use("a", soon);
  used.use("b", soon);
  used.giveBack("a");
  assert.equal(used.use("a", soon), true);
  assert.equal(used.use("b", soon), false);
});
