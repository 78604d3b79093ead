import assert from "node:assert/strict";
import { TURN_REVOKED } from "../../src/switchboard/close_codes.ts";
import { JUST_ENDED_MS, LiveTurns } from "../../src/switchboard/live_turns.ts";
import { Clock } from "../support/clock.ts";

/** A bridge that leaves the set when it is ended, as real ones do. */
function open(turns: LiveTurns, turnId: string, exeId: string): () => void {
  const end = () => turns.remove(turnId, end);
  turns.add(turnId, exeId, end);
  return end;
}

Deno.test("a turn goes on while it has a bridge to the executor, and for two minutes after", () => {
  using clock = new Clock();
  const turns = new LiveTurns();
  assert.equal(turns.goesOn("turn_1", "exe_1"), false, "it never began");
  const end = open(turns, "turn_1", "exe_1");
  clock.advance(10 * JUST_ENDED_MS);
  assert.equal(turns.goesOn("turn_1", "exe_1"), true, "it is up, however long");
  assert.equal(turns.goesOn("turn_1", "exe_2"), false, "with that executor alone");
  assert.equal(turns.goesOn("turn_2", "exe_1"), false, "and no other turn");
  end();
  clock.advance(JUST_ENDED_MS - 1);
  assert.equal(turns.goesOn("turn_1", "exe_1"), true);
  assert.equal(turns.goesOn("turn_1", "exe_2"), false);
  clock.advance(1);
  assert.equal(turns.goesOn("turn_1", "exe_1"), false);
  assert.equal(JUST_ENDED_MS, 120_000);
});

Deno.test("the last of a turn's bridges to an executor counts", () => {
  using clock = new Clock();
  const turns = new LiveTurns();
  const [first, second] = [open(turns, "turn_1", "exe_1"), open(turns, "turn_1", "exe_1")];
  first();
  clock.advance(JUST_ENDED_MS);
  assert.equal(turns.goesOn("turn_1", "exe_1"), true, "the second is up");
  second();
  second();
  clock.advance(JUST_ENDED_MS - 1);
  assert.equal(turns.goesOn("turn_1", "exe_1"), true);
});

Deno.test("a turn that was revoked does not go on, whatever of it had just ended", () => {
  using _clock = new Clock();
  const turns = new LiveTurns();
  open(turns, "turn_1", "exe_1")();
  open(turns, "turn_1", "exe_2");
  open(turns, "turn_2", "exe_1")();
  assert.equal(turns.end("turn_1", TURN_REVOKED), 1);
  assert.equal(turns.goesOn("turn_1", "exe_1"), false);
  assert.equal(turns.goesOn("turn_1", "exe_2"), false);
  assert.equal(turns.goesOn("turn_2", "exe_1"), true);
});

Deno.test("of what has ended, so many are remembered, the latest", () => {
  using clock = new Clock();
  const turns = new LiveTurns(100);
  open(turns, "turn_again", "exe_1")();
  for (let i = 0; i < 99; i++) open(turns, `turn_${i}`, "exe_1")();
  // It is the latest now, and not the oldest.
  open(turns, "turn_again", "exe_1")();
  open(turns, "turn_99", "exe_1")();
  assert.equal(turns.goesOn("turn_0", "exe_1"), false);
  for (const id of ["again", "1", "99"]) {
    assert.equal(turns.goesOn(`turn_${id}`, "exe_1"), true, id);
  }
  clock.advance(JUST_ENDED_MS);
  open(turns, "turn_later", "exe_1")();
  assert.equal(turns.goesOn("turn_again", "exe_1"), false);
  assert.equal(turns.goesOn("turn_later", "exe_1"), true);
});
