import assert from "node:assert/strict";
import { formatDuration, parseDuration } from "../../src/text/duration.ts";

Deno.test("a duration is read as Go writes it, and in days", () => {
  const durations = {
    "90s": 90,
    "2m": 120,
    "1h30m": 5_400,
    "1h0m5s": 3_605,
    "7d": 604_800,
    "007s": 7,
  };
  for (const [text, seconds] of Object.entries(durations)) {
    assert.equal(parseDuration(text), seconds, text);
  }
  for (const text of ["", "5", "0s", "-1s", "1.5h", "1 h", "h", "1w", "1H", "5ms"]) {
    assert.equal(parseDuration(text), undefined, text);
  }
});

Deno.test("a duration is written in its largest whole unit", () => {
  const durations = { "7d": 604_800, "25h": 90_000, "90m": 5_400, "61s": 61 };
  for (const [text, seconds] of Object.entries(durations)) {
    assert.equal(formatDuration(seconds), text);
  }
});
