import assert from "node:assert/strict";
import {
  adviceFor,
  executorLabel,
  shown,
  shownId,
  shownIds,
  timeText,
} from "../../src/http/wording.ts";

Deno.test("what others chose is shown in one line, visible and bounded", () => {
  const cases: [string, string][] = [
    ["laptop", "laptop"],
    ["  two \t words\r\n", "two words"],
    ["a\u0000b\u001b[31mc", "a b [31mc"],
    ["r\u202el\u2028line\u00a0n\u200bzero", "r l line n zero"],
    ["\ud83d\udcbb".repeat(3), "\ud83d\udcbb".repeat(3)],
    ["half \ud83d", "half"],
    ["\u0007".repeat(1_000), ""],
    ["x".repeat(20), "x".repeat(20)],
    ["x".repeat(21), `${"x".repeat(19)}…`],
    ["x".repeat(100_000), `${"x".repeat(19)}…`],
    // Not cut in the middle of a character.
    [`${"x".repeat(18)}${"\ud83d\udcbb".repeat(2)}`, `${"x".repeat(18)}…`],
  ];
  for (const [text, expected] of cases) {
    assert.equal(shown(text, 20), expected, JSON.stringify(text.slice(0, 40)));
  }
});

Deno.test("an id is whole in the form that the gateway gives, and bounded in any other", () => {
  const id = `exe_${crypto.randomUUID()}`;
  assert.equal(shownId(id), id);
  assert.equal(shownId("x".repeat(128)).length, 48);
  assert.equal(executorLabel(id, "laptop"), `executor ${id} (laptop)`);
  assert.equal(executorLabel(id), `executor ${id}`);
  assert.equal(executorLabel(id, " \n"), `executor ${id}`);
  assert.equal(shownIds(["a", "b", "c"]), "a, b, c");
  assert.equal(shownIds(["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
});

Deno.test("a time has its day where it is not clear", () => {
  const time = new Date("2026-11-27T14:02:59.5Z");
  const hours = (count: number) => time.getTime() + count * 3600_000;
  assert.equal(timeText(time, hours(1)), "14:02 UTC");
  assert.equal(timeText(time, hours(11)), "14:02 UTC");
  assert.equal(timeText(time, hours(12)), "2026-11-27 14:02 UTC");
  assert.equal(timeText(time, hours(2_400)), "2026-11-27 14:02 UTC");
});

Deno.test("a refusal that does not say what to do is given it by its status", () => {
  assert.match(adviceFor(400, "the body is not valid JSON"), /^; correct the request/);
  assert.equal(adviceFor(400, "this is wrong; do that"), "");
  assert.match(adviceFor(503, "the database cannot write: its disk is full"), /^; tell/);
  assert.equal(adviceFor(418, "a teapot"), "");
});
