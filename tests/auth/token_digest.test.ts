import assert from "node:assert/strict";
import { newRegistrationToken } from "../../src/auth/registration_tokens.ts";
import { isDigestOf, isRandomToken, tokenDigest } from "../../src/auth/token_digest.ts";

Deno.test("a digest is SHA-256 in hex", () => {
  // FIPS 180-2, appendix B.1
  const digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  assert.equal(tokenDigest("abc"), digest);
});

Deno.test("a token is told from another, and from one that is longer or shorter", () => {
  const token = newRegistrationToken();
  const digest = tokenDigest(token);
  assert(isDigestOf(token, digest));
  for (const wrong of [newRegistrationToken(), token.slice(1), `${token}0`, "", digest]) {
    assert(!isDigestOf(wrong, digest), wrong);
  }
});

Deno.test("nobody's token is right", () => {
  for (const token of [newRegistrationToken(), "", "0".repeat(64)]) {
    assert(!isDigestOf(token, undefined));
  }
});

Deno.test("only 32 bytes in lower-case hex pass for random", () => {
  const token = newRegistrationToken();
  assert(isRandomToken(token));
  const others = [token.slice(2), `${token}00`, "correct horse battery staple", `${token}\n`, ""];
  for (const other of [...others, "A".repeat(64), `g${token.slice(1)}`]) {
    assert(!isRandomToken(other), other);
  }
});
