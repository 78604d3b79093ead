import assert from "node:assert/strict";
import { secretsEqual } from "../../src/auth/constant_time.ts";

Deno.test("equal secrets are equal", () => {
  for (const secret of ["x", "correct horse", "ü".repeat(1000), ""]) {
    assert(secretsEqual(secret, secret));
  }
});

Deno.test("different secrets are not, whatever their lengths", () => {
  for (
    const [given, expected] of [
      ["a", "b"],
      ["secret", "secreT"],
      ["secret", "secret "],
      ["secre", "secret"],
      ["secretsecret", "secret"],
      ["", "secret"],
      ["secret", ""],
      ["secret\0", "secret"],
    ] as const
  ) assert(!secretsEqual(given, expected), `${given} and ${expected}`);
});
