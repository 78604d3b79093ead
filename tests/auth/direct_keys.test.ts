import assert from "node:assert/strict";
import { DirectKeys } from "../../src/auth/direct_keys.ts";

const SECRET = new TextEncoder().encode("test-captoken-hmac-secret");
const EXE_ID = "exe_0b1f7a30-1111-4222-8333-444444444444";
const HASH = "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";

Deno.test("the same executor and token give the same pair, in any process", async () => {
  const pair = await (await DirectKeys.derive(SECRET)).pairOf(EXE_ID, HASH);
  assert.deepEqual(await (await DirectKeys.derive(SECRET)).pairOf(EXE_ID, HASH), pair);
  // As AWS's own API takes them, and as they may stand in a shell's command line.
  assert.match(pair.access_key_id, /^exe_0b1f7a30_1111_4222_8333_444444444444_[0-9a-f]{16}$/);
  assert.match(pair.secret_access_key, /^[\w-]{43}$/);
});

Deno.test("another executor, another token or another gateway has another pair", async () => {
  const keys = await DirectKeys.derive(SECRET);
  const pairs = [
    await keys.pairOf(EXE_ID, HASH),
    await keys.pairOf(EXE_ID, `${HASH}x`),
    await keys.pairOf(EXE_ID.replaceAll("-", "_"), HASH),
    await keys.pairOf("exe_other", HASH),
    await (await DirectKeys.derive(new TextEncoder().encode("another"))).pairOf(EXE_ID, HASH),
  ];
  for (const part of ["access_key_id", "secret_access_key"] as const) {
    assert.equal(new Set(pairs.map((pair) => pair[part])).size, pairs.length, part);
  }
  const registrations = await Promise.all(pairs.map((pair) => keys.registrationIdOf(pair)));
  assert.equal(new Set(registrations).size, pairs.length);
  assert.equal(await keys.registrationIdOf(pairs[0]!), registrations[0]);
});

Deno.test("whatever an executor's id is, the access key id is one word", async () => {
  const keys = await DirectKeys.derive(SECRET);
  for (const id of ["", "a/b,c=d e", "büro ü", "x".repeat(500)]) {
    assert.match((await keys.pairOf(id, HASH)).access_key_id, /^\w{16,128}$/, id);
  }
});
