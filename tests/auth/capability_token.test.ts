import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import {
  BadSignatureError,
  CapabilityTokenError,
  CapPayload,
  ExpiredTokenError,
  MalformedTokenError,
  mintCapabilityToken,
  verifyCapabilityToken,
} from "../../src/auth/capability_token.ts";
import { base64url, CLAIMS, craft, HEADER, NOW, refusalOf, SECRET, tokenWith } from "./crafted.ts";

Deno.test("a minted token is, byte for byte, what the package page documents", async () => {
  const secret = new TextEncoder().encode("0123456789abcdef");
  const token = await mintCapabilityToken({
    turn_id: "turn_é",
    workspace_id: "ws_1",
    exe_ids: ["exe_a", "exe_b"],
    iat: 1_700_000_000,
    exp: 1_700_003_600,
  }, secret);

  const payload = '{"turn_id":"turn_é","workspace_id":"ws_1","exe_ids":["exe_a","exe_b"],' +
    '"iat":1700000000,"exp":1700003600}';
  const first = Buffer.from('{"alg":"HS256","typ":"CXG"}').toString("base64url");
  const second = Buffer.from(payload).toString("base64url");
  const third = createHmac("sha256", secret).update(`${first}.${second}`).digest("base64url");
  assert.equal(token, `${first}.${second}.${third}`);
});

Deno.test("what was minted is what verifying returns", async () => {
  const token = await mintCapabilityToken(CLAIMS, SECRET);
  const payload = await verifyCapabilityToken(token, SECRET, NOW);
  assert(payload instanceof CapPayload);
  assert.deepEqual({ ...payload }, CLAIMS);
});

Deno.test("a token made by another implementation is accepted", async () => {
  const payload = await verifyCapabilityToken(tokenWith(), SECRET, NOW);
  assert.deepEqual({ ...payload }, CLAIMS);
});

Deno.test("without a time given, now is the clock's", async () => {
  const now = Math.floor(Date.now() / 1000);
  await verifyCapabilityToken(tokenWith({ exp: now + 60 }), SECRET);
  await assert.rejects(
    verifyCapabilityToken(tokenWith({ exp: now - 60 }), SECRET),
    ExpiredTokenError,
  );
});

Deno.test("a token is good up to and including its exp", async () => {
  const token = tokenWith({ exp: NOW });
  await verifyCapabilityToken(token, SECRET, NOW - 1);
  await verifyCapabilityToken(token, SECRET, NOW);
  assert.equal((await refusalOf(token, NOW + 1)).constructor, ExpiredTokenError);
});

for (const exp of [-1, 0, NOW - 1]) {
  Deno.test(`a token with exp ${exp} is expired`, async () => {
    assert.equal((await refusalOf(tokenWith({ exp }))).constructor, ExpiredTokenError);
  });
}

Deno.test("iat decides nothing: a token from the future is good", async () => {
  await verifyCapabilityToken(tokenWith({ iat: NOW + 3600 }), SECRET, NOW);
});

for (
  const [what, header] of [
    ["in another order", '{"typ":"CXG","alg":"HS256"}'],
    ["with another field", '{"alg":"HS256","typ":"CXG","kid":"1"}'],
    ["with blanks", '{ "alg": "HS256", "typ": "CXG" }'],
  ] as const
) {
  Deno.test(`a header ${what} is accepted`, async () => {
    const token = craft(JSON.stringify(CLAIMS), { header });
    assert.deepEqual({ ...await verifyCapabilityToken(token, SECRET, NOW) }, CLAIMS);
  });
}

Deno.test("fields that the page does not name are ignored", async () => {
  const payload = await verifyCapabilityToken(tokenWith({ nbf: "?", role: 1 }), SECRET, NOW);
  assert.deepEqual({ ...payload }, CLAIMS);
});

Deno.test("workspace_id and iat, which nothing is decided by, may be absent", async () => {
  const token = tokenWith({ workspace_id: undefined, iat: undefined });
  const payload = await verifyCapabilityToken(token, SECRET, NOW);
  assert.deepEqual({ ...payload }, { ...CLAIMS, workspace_id: "", iat: 0 });
});

Deno.test("a signature of another secret is a bad one", async () => {
  for (const secret of ["", "a secret of the test", "a secret of the tests "]) {
    const token = craft(JSON.stringify(CLAIMS), { secret: Buffer.from(secret) });
    assert.equal((await refusalOf(token)).constructor, BadSignatureError);
  }
});

Deno.test("a signature cut short, extended or of another hash is a bad one", async () => {
  const [header, payload, signature] = tokenWith().split(".");
  const bytes = Buffer.from(signature!, "base64url");
  const sha512 = createHmac("sha512", SECRET).update(`${header}.${payload}`).digest();
  const wrong = [
    bytes.subarray(0, 31),
    bytes.subarray(0, 1),
    Buffer.concat([bytes, Buffer.from([0])]),
    Buffer.concat([bytes, bytes]),
    Buffer.alloc(32),
    sha512,
    sha512.subarray(0, 32),
  ];
  for (const signature of wrong) {
    const token = `${header}.${payload}.${base64url(signature)}`;
    assert.equal((await refusalOf(token)).constructor, BadSignatureError);
  }
});

Deno.test("the signatures of two tokens cannot be swapped", async () => {
  const one = tokenWith().split(".");
  const two = tokenWith({ turn_id: "turn_2" }).split(".");
  for (const parts of [[one[0], one[1], two[2]], [two[0], two[1], one[2]]]) {
    assert.equal((await refusalOf(parts.join("."))).constructor, BadSignatureError);
  }
});

Deno.test("with one bit of the payload or of the signature changed, no token is good", async () => {
  const parts = tokenWith().split(".");
  for (const index of [1, 2]) {
    const bytes = Buffer.from(parts[index]!, "base64url");
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      const token = parts.with(index, base64url(changed)).join(".");
      assert.equal((await refusalOf(token)).constructor, BadSignatureError, `bit ${bit}`);
    }
  }
});

Deno.test("a bad signature comes before expiry", async () => {
  const claims = JSON.stringify({ ...CLAIMS, exp: NOW - 3600 });
  const forged = craft(claims, { secret: Buffer.from("another") });
  assert.equal((await refusalOf(forged)).constructor, BadSignatureError);
});

Deno.test("nothing of the payload is judged before the signature holds", async () => {
  for (const payload of ["not JSON", "[]", "{}", '{"turn_id":1}', Buffer.from([0xff])]) {
    const forged = craft(payload, { secret: Buffer.from("another") });
    assert.equal((await refusalOf(forged)).constructor, BadSignatureError);
  }
  const [header, , signature] = tokenWith().split(".");
  assert.equal(
    (await refusalOf(`${header}.n=t base64url.${signature}`)).constructor,
    BadSignatureError,
  );
});

Deno.test("a wrong form comes before expiry", async () => {
  const token = tokenWith({ exp: NOW - 3600, exe_ids: "exe_1" });
  assert.equal((await refusalOf(token)).constructor, MalformedTokenError);
});

Deno.test("a token allows the executors it names and no other", async () => {
  const payload = await verifyCapabilityToken(
    tokenWith({ exe_ids: ["exe_1", "exe_2"] }),
    SECRET,
    NOW,
  );
  assert(payload.allowsExeId("exe_1"));
  assert(payload.allowsExeId("exe_2"));
  for (const other of ["exe_3", "exe_", "exe_11", "EXE_1", "exe_1 ", "", "*"]) {
    assert(!payload.allowsExeId(other), other);
  }
});

Deno.test("a token may name any number of executors, also none", async () => {
  const exe_ids = Array.from({ length: 5_000 }, (_, i) => `exe_${i}`);
  const many = await verifyCapabilityToken(tokenWith({ exe_ids }), SECRET, NOW);
  assert(exe_ids.every((id) => many.allowsExeId(id)));
  assert(!many.allowsExeId("exe_5000"));
  const none = await verifyCapabilityToken(tokenWith({ exe_ids: [] }), SECRET, NOW);
  assert(!none.allowsExeId("exe_1"));
  assert(!none.allowsExeId(""));
});

Deno.test("each refusal has a class of its own and a message of its own", async () => {
  const malformed = await refusalOf("x");
  const forged = await refusalOf(craft("{}", { secret: Buffer.from("another") }));
  const expired = await refusalOf(tokenWith({ exp: NOW - 1 }));
  assert.deepEqual(
    [malformed, forged, expired].map((
      error,
    ) => [error.name, error instanceof CapabilityTokenError]),
    [["MalformedTokenError", true], ["BadSignatureError", true], ["ExpiredTokenError", true]],
  );
  assert.match(malformed.message, /^malformed capability token: /);
  assert.match(forged.message, /signature/);
  assert.match(expired.message, /expired/);
});

Deno.test("the header's usual spelling is the one that the tests craft with", () => {
  assert.equal(tokenWith().split(".")[0], base64url(HEADER));
});
