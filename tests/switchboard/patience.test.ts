import assert from "node:assert/strict";
import { Patience } from "../../src/switchboard/patience.ts";

/** Spends 100 ms in every tenth of a second of an interval; returns when it was too much, in seconds. */
function keepWaiting(patience: Patience, fromS: number, toS: number): number | undefined {
  for (let tenth = fromS * 10; tenth < toS * 10; tenth++) {
    if (patience.spend(100, tenth * 100)) return tenth / 10;
  }
}

Deno.test("somebody may keep others waiting for a minute, and no longer", () => {
  const at = keepWaiting(new Patience(), 0, 120);
  assert.ok(at !== undefined && at >= 59.9 && at <= 60.2, `${at}`);
});

Deno.test("what was longer ago than two minutes is forgotten", () => {
  const patience = new Patience();
  assert.equal(keepWaiting(patience, 0, 55), undefined);
  assert.equal(keepWaiting(patience, 180, 235), undefined);
});

Deno.test("a minute in pieces within two minutes is a minute", () => {
  const patience = new Patience();
  assert.equal(keepWaiting(patience, 0, 40), undefined);
  const at = keepWaiting(patience, 80, 119);
  assert.ok(at !== undefined && at > 99 && at < 101, `${at}`);
});
