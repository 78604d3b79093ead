import assert from "node:assert/strict";
import { publicKeyDigest } from "../../src/auth/public_key.ts";

const KEY = { suite: "s", x25519_public_key: "eA==", mlkem768_public_key: "bQ==" };

Deno.test("the same key in another order has the same digest", async () => {
  const reordered = Object.fromEntries(Object.entries(KEY).reverse());
  assert.equal(await publicKeyDigest(reordered), await publicKeyDigest(KEY));
  const nested = { a: [{ x: 1, y: 2 }], b: KEY };
  const nestedReordered = { b: reordered, a: [{ y: 2, x: 1 }] };
  assert.equal(await publicKeyDigest(nestedReordered), await publicKeyDigest(nested));
});

Deno.test("any other key has another digest", async () => {
  const digest = await publicKeyDigest(KEY);
  const others = [
    { ...KEY, suite: "t" },
    { ...KEY, more: "" },
    { suite: "s", x25519_public_key: "eA==" },
    { ...KEY, x25519_public_key: KEY.mlkem768_public_key, mlkem768_public_key: "eA==" },
    [KEY],
    [],
    {},
  ];
  for (const other of others) {
    assert.notEqual(await publicKeyDigest(other), digest, JSON.stringify(other));
  }
});
