import assert from "node:assert/strict";
import {
  BusyError,
  newRegistrationToken,
  RegistrationTokens,
} from "../../src/auth/registration_tokens.ts";

/**
 * The vector of Go's own bcrypt test, `golang.org/x/crypto/bcrypt/bcrypt_test.go`
 * (`TestBcryptingIsCorrect`): the password and the hash that Go makes of it.
 */
const GO = {
  token: "allmine",
  hash: "$2a$10$XajjQvNhvvRt5GSeFk1xFeyqRrsxkhBkUiQeg0dt.wU1qD4aFDcga",
};

Deno.test("a new token is 32 bytes in hex, another one each time", () => {
  const tokens = Array.from({ length: 100 }, newRegistrationToken);
  for (const token of tokens) assert.match(token, /^[0-9a-f]{64}$/);
  assert.equal(new Set(tokens).size, 100);
});

Deno.test("a token is checked against its hash", async () => {
  using tokens = new RegistrationTokens();
  const token = newRegistrationToken();
  const hash = await tokens.hash(token);
  assert.match(hash, /^\$2[ab]\$10\$[./A-Za-z0-9]{53}$/, "bcrypt at Go's default cost");
  assert(await tokens.verify(token, hash));
  assert(!await tokens.verify(newRegistrationToken(), hash));
  assert(!await tokens.verify(token.slice(0, -1), hash));
  assert(!await tokens.verify(token.toUpperCase(), hash));
});

Deno.test("two hashes of one token differ: each has a salt of its own", async () => {
  using tokens = new RegistrationTokens();
  const [one, two] = await Promise.all([tokens.hash("token"), tokens.hash("token")]);
  assert.notEqual(one, two);
});

Deno.test("a hash that Go made is good, under each of bcrypt's names", async () => {
  using tokens = new RegistrationTokens();
  assert(await tokens.verify(GO.token, GO.hash));
  assert(await tokens.verify(GO.token, GO.hash.replace("$2a$", "$2b$")));
  assert(!await tokens.verify("allmin", GO.hash));
});

Deno.test("an unknown executor's token is wrong, whatever it is", async () => {
  using tokens = new RegistrationTokens();
  // "-" is what is compared in place of a token that cannot be right.
  for (const token of [newRegistrationToken(), "", "-", GO.token]) {
    assert.equal(await tokens.verify(token, undefined), false);
  }
});

Deno.test("an empty token and one that bcrypt would cut short are wrong", async () => {
  using tokens = new RegistrationTokens();
  const longest = "x".repeat(72);
  const hash = await tokens.hash(longest);
  assert(await tokens.verify(longest, hash));
  assert.equal(await tokens.verify(`${longest}y`, hash), false);
  assert.equal(await tokens.verify("ü".repeat(36) + "y", await tokens.hash("ü".repeat(36))), false);
  assert.equal(await tokens.verify("", hash), false);
  // What is compared in their place does not open a hash of it either.
  const placeholder = await tokens.hash("-");
  assert.equal(await tokens.verify("", placeholder), false);
  assert.equal(await tokens.verify(`${longest}y`, placeholder), false);
  assert.equal(await tokens.verify("-", placeholder), true);
});

Deno.test("an unknown executor, an impossible token and a wrong one take as long", async () => {
  using tokens = new RegistrationTokens();
  const hash = await tokens.hash("token");
  const wrong: number[] = [], unknown: number[] = [], impossible: number[] = [];
  for (let round = 0; round < 5; round++) {
    wrong.push(await timeOf(() => tokens.verify("wrong", hash)));
    unknown.push(await timeOf(() => tokens.verify("wrong", undefined)));
    impossible.push(await timeOf(() => tokens.verify("", hash)));
  }
  for (const times of [unknown, impossible]) {
    const ratio = median(times) / median(wrong);
    assert(ratio > 0.5 && ratio < 2, `took ${ratio.toFixed(2)} times as long as a wrong token`);
  }
});

Deno.test("a full queue refuses at once, and serves again when there is room", async () => {
  using tokens = new RegistrationTokens({ maxWaiting: 2 });
  const underWay = [tokens.verify(GO.token, GO.hash), tokens.verify("wrong", GO.hash)];
  assert.equal(tokens.waiting, 2);
  await assert.rejects(tokens.verify(GO.token, GO.hash), BusyError);
  await assert.rejects(tokens.hash("token"), BusyError);
  assert.equal(tokens.waiting, 2, "the refusals did not wait for what is under way");

  assert.deepEqual(await Promise.all(underWay), [true, false]);
  assert.equal(tokens.waiting, 0);
  assert(await tokens.verify(GO.token, GO.hash));
});

Deno.test("answers reach who asked, when many ask at once", async () => {
  using tokens = new RegistrationTokens();
  const asked = ["allmine", "", "allmine", "wrong", "allmine "];
  const answers = await Promise.all(asked.map((token) => tokens.verify(token, GO.hash)));
  assert.deepEqual(answers, [true, false, true, false, false]);
});

Deno.test("a hash that is none fails that check, not the next one", async () => {
  using tokens = new RegistrationTokens();
  await assert.rejects(tokens.verify("token", "not a bcrypt hash"), Error);
  assert.equal(tokens.waiting, 0);
  assert(await tokens.verify(GO.token, GO.hash));
});

Deno.test("a check leaves the thread free: timers run while bcrypt does", async () => {
  using tokens = new RegistrationTokens();
  await tokens.verify("warm-up", GO.hash);
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  try {
    await Promise.all([tokens.verify("a", GO.hash), tokens.verify("b", GO.hash)]);
  } finally {
    clearInterval(timer);
  }
  assert(ticks >= 10, `the timer ran ${ticks} times in some 100 ms`);
});

Deno.test("disposing rejects what is waiting", async () => {
  const tokens = new RegistrationTokens();
  const waiting = [tokens.verify("a", GO.hash), tokens.hash("b")];
  tokens[Symbol.dispose]();
  const outcomes = await Promise.allSettled(waiting);
  assert.deepEqual(outcomes.map(({ status }) => status), ["rejected", "rejected"]);
});

Deno.test("what is asked after disposing is refused, not left waiting", async () => {
  const tokens = new RegistrationTokens();
  tokens[Symbol.dispose]();
  const { promise: late, resolve } = Promise.withResolvers<"late">();
  const timer = setTimeout(() => resolve("late"), 500);
  const outcome = await Promise.race([
    tokens.verify("a", GO.hash).then(() => "answered", () => "refused"),
    late,
  ]);
  clearTimeout(timer);
  assert.equal(outcome, "refused");
});

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;
}
