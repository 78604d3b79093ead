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

/** Somebody new each time, so that nobody is over a limit of its own. */
let askers = 0;
const anybody = () => ({ exeId: `exe_${++askers}`, source: `source ${askers}` });

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
  assert(await tokens.verify(token, hash, anybody()));
  assert(!await tokens.verify(newRegistrationToken(), hash, anybody()));
  assert(!await tokens.verify(token.slice(0, -1), hash, anybody()));
  assert(!await tokens.verify(token.toUpperCase(), hash, anybody()));
});

Deno.test("two hashes of one token differ: each has a salt of its own", async () => {
  using tokens = new RegistrationTokens();
  const [one, two] = await Promise.all([tokens.hash("token"), tokens.hash("token")]);
  assert.notEqual(one, two);
});

Deno.test("a hash that Go made is good, under each of bcrypt's names", async () => {
  using tokens = new RegistrationTokens();
  assert(await tokens.verify(GO.token, GO.hash, anybody()));
  assert(await tokens.verify(GO.token, GO.hash.replace("$2a$", "$2b$"), anybody()));
  assert(!await tokens.verify("allmin", GO.hash, anybody()));
});

Deno.test("an empty token and one that bcrypt would cut short are wrong", async () => {
  using tokens = new RegistrationTokens();
  const longest = "x".repeat(72);
  const hash = await tokens.hash(longest);
  assert(await tokens.verify(longest, hash, anybody()));
  assert.equal(await tokens.verify(`${longest}y`, hash, anybody()), false);
  assert.equal(
    await tokens.verify("ü".repeat(36) + "y", await tokens.hash("ü".repeat(36)), anybody()),
    false,
  );
  assert.equal(await tokens.verify("", hash, anybody()), false);
  // What is compared in their place does not open a hash of it either.
  const placeholder = await tokens.hash("-");
  assert.equal(await tokens.verify("", placeholder, anybody()), false);
  assert.equal(await tokens.verify(`${longest}y`, placeholder, anybody()), false);
  assert.equal(await tokens.verify("-", placeholder, anybody()), true);
});

Deno.test("an impossible token costs a run of bcrypt, as a wrong one does", async () => {
  using tokens = new RegistrationTokens();
  const hash = await tokens.hash("token");
  for (const token of ["wrong", "", "x".repeat(73)]) {
    const before = tokens.runs;
    assert.equal(await tokens.verify(token, hash, anybody()), false);
    assert.equal(tokens.runs, before + 1, JSON.stringify(token));
  }
});

Deno.test("a full queue refuses at once, and serves again when there is room", async () => {
  using tokens = new RegistrationTokens({ maxWaiting: 2 });
  const underWay = [
    tokens.verify(GO.token, GO.hash, anybody()),
    tokens.verify("wrong", GO.hash, anybody()),
  ];
  assert.equal(tokens.waiting, 2);
  await assert.rejects(tokens.verify(GO.token, GO.hash, anybody()), BusyError);
  assert.equal(tokens.waiting, 2, "the refusals did not wait for what is under way");

  // The platform goes on creating executors, up to a bound of its own.
  const hashes = [tokens.hash("a"), tokens.hash("b")];
  await assert.rejects(tokens.hash("c"), BusyError);
  assert.deepEqual(await Promise.all(underWay), [true, false]);
  await Promise.all(hashes);
  assert.equal(tokens.waiting, 0);
  assert(await tokens.verify(GO.token, GO.hash, anybody()));
});

Deno.test("one executor cannot fill the queue, nor can one source", async () => {
  using tokens = new RegistrationTokens({ maxWaiting: 40 });
  const ask = (exeId: string, source: string) => tokens.verify("wrong", GO.hash, { exeId, source });
  const underWay: Promise<boolean>[] = [];
  for (let i = 0; i < 4; i++) underWay.push(ask("exe_a", `source ${i}`));
  await assert.rejects(ask("exe_a", "source 5"), /of this executor/);
  for (let i = 0; i < 10; i++) underWay.push(ask(`exe_${i}`, "source b"));
  await assert.rejects(ask("exe_c", "source b"), /from this address/);
  assert.equal(tokens.waiting, 14);
  assert.equal(await ask("exe_c", "source c"), false, "another of another is served");
  await Promise.all(underWay);
  assert.deepEqual(
    await Promise.all([ask("exe_a", "source b"), ask("exe_b", "source b")]),
    [false, false],
    "and they are, when theirs are done",
  );
});

Deno.test("each source is served in its turn", async () => {
  using tokens = new RegistrationTokens();
  const order: string[] = [];
  const ask = async (exeId: string, source: string) => {
    await tokens.verify("wrong", GO.hash, { exeId, source });
    order.push(exeId);
  };
  await Promise.all([
    ...["a1", "a2", "a3", "a4"].map((exeId) => ask(exeId, "a")),
    ask("b1", "b"),
    ask("b2", "b"),
    ask("c1", "c"),
  ]);
  assert.deepEqual(order, ["a1", "a2", "b1", "c1", "a3", "b2", "a4"]);
});

Deno.test("answers reach who asked, when many ask at once", async () => {
  using tokens = new RegistrationTokens();
  const asked = ["allmine", "", "allmine", "wrong", "allmine "];
  const answers = await Promise.all(asked.map((token) => tokens.verify(token, GO.hash, anybody())));
  assert.deepEqual(answers, [true, false, true, false, false]);
});

Deno.test("a hash that is none fails that check, not the next one", async () => {
  using tokens = new RegistrationTokens();
  await assert.rejects(tokens.verify("token", "not a bcrypt hash", anybody()), Error);
  assert.equal(tokens.waiting, 0);
  assert(await tokens.verify(GO.token, GO.hash, anybody()));
});

Deno.test("a check leaves the thread free: timers run while bcrypt does", async () => {
  using tokens = new RegistrationTokens();
  await tokens.verify("warm-up", GO.hash, anybody());
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  try {
    await Promise.all([
      tokens.verify("a", GO.hash, anybody()),
      tokens.verify("b", GO.hash, anybody()),
    ]);
  } finally {
    clearInterval(timer);
  }
  // On this thread, each check would keep every timer waiting to its end.
  assert(ticks > 2, `the timer ran ${ticks} times during two checks`);
});

Deno.test("disposing rejects what is waiting", async () => {
  const tokens = new RegistrationTokens();
  const waiting = [tokens.verify("a", GO.hash, anybody()), tokens.hash("b")];
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
    tokens.verify("a", GO.hash, anybody()).then(() => "answered", () => "refused"),
    late,
  ]);
  clearTimeout(timer);
  assert.equal(outcome, "refused");
});
