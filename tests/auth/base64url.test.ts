import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { decodeBase64url, encodeBase64url, encodeHex } from "../../src/auth/base64url.ts";

// RFC 4648 section 10, without the padding.
const VECTORS = [
  ["", ""],
  ["f", "Zg"],
  ["fo", "Zm8"],
  ["foo", "Zm9v"],
  ["foob", "Zm9vYg"],
  ["fooba", "Zm9vYmE"],
  ["foobar", "Zm9vYmFy"],
] as const;

Deno.test("the vectors of RFC 4648 hold in both directions", () => {
  for (const [plain, encoded] of VECTORS) {
    const bytes = new TextEncoder().encode(plain);
    assert.equal(encodeBase64url(bytes), encoded);
    assert.deepEqual(decodeBase64url(encoded), bytes);
  }
});

Deno.test("every byte value survives, with - and _ and without padding", () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  const text = encodeBase64url(bytes);
  assert.equal(text, Buffer.from(bytes).toString("base64url"));
  assert.match(text, /^[A-Za-z0-9_-]+$/);
  assert.match(text, /-/);
  assert.match(text, /_/);
  assert.deepEqual(decodeBase64url(text), bytes);
});

Deno.test("what is not unpadded base64url decodes to nothing", () => {
  const refused = [
    "Zg==",
    "Zg=",
    "Zm8=",
    "=",
    "+/+/",
    "Zm9v\n",
    " Zm9v",
    "Zm 9v",
    "Zm9v\0",
    "Z",
    "Zm9vZ",
  ];
  for (const text of [...refused, "Zm9é", "\ud800AAA", "Zm9v.Zm9v"]) {
    assert.equal(decodeBase64url(text), undefined, JSON.stringify(text));
  }
});

Deno.test("each value has exactly one spelling", () => {
  // "Zg" and "Zh" differ in bits that no byte holds.
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const last = [...alphabet].filter((char) => decodeBase64url(`Z${char}`) !== undefined);
  assert.deepEqual(last, ["A", "Q", "g", "w"]);
  const lastOfThree = [...alphabet].filter((char) => decodeBase64url(`Zm${char}`) !== undefined);
  assert.equal(lastOfThree.length, 16);
});

Deno.test("hex is in lower case, two digits a byte", () => {
  assert.equal(encodeHex(new Uint8Array([0, 1, 15, 16, 171, 255])), "00010f10abff");
  assert.equal(encodeHex(new Uint8Array()), "");
});
