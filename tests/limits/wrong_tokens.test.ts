import assert from "node:assert/strict";
import { WrongTokens } from "../../src/limits/wrong_tokens.ts";

Deno.test("after ten wrong ones of an executor a source has to stay away, from that one", () => {
  using clock = new Clock();
  const wrong = new WrongTokens();
  for (let i = 0; i < 10; i++) assert.equal(wrong.count("exe_a", "s1"), 0);
  assert.equal(wrong.retryAfter("exe_a", "s1"), 60);
  assert.equal(wrong.count("exe_a", "s1"), 60);
  assert.equal(wrong.retryAfter("exe_b", "s1"), 0);
  assert.equal(wrong.retryAfter("exe_a", "s2"), 0);
  clock.advance(59_500);
  assert.equal(wrong.count("exe_a", "s1"), 1);
  clock.advance(500);
  for (let i = 0; i < 10; i++) assert.equal(wrong.count("exe_a", "s1"), 0, "a new window");
  assert.equal(wrong.count("exe_a", "s1"), 60);
});

Deno.test("after a hundred wrong ones of any executor a source has to stay away", () => {
  using _clock = new Clock();
  const wrong = new WrongTokens();
  for (let i = 0; i < 100; i++) assert.equal(wrong.count(`exe_${i}`, "s1"), 0);
  assert.equal(wrong.count("exe_new", "s1"), 60);
  assert.equal(wrong.count("exe_new", "s2"), 0);
});

Deno.test("one executor that tries for ever does not use up what its neighbours have", () => {
  using _clock = new Clock();
  const wrong = new WrongTokens();
  for (let i = 0; i < 1_000; i++) wrong.count("exe_a", "s1");
  assert.equal(wrong.count("exe_b", "s1"), 0);
});

Deno.test("there are at most so many counters: the oldest give way", () => {
  using _clock = new Clock();
  const wrong = new WrongTokens();
  const overLimit = () => ["s1", "s2"].map((source) => wrong.retryAfter("exe_a", source) > 0);
  for (const source of ["s1", "s2"]) {
    for (let i = 0; i < 10; i++) wrong.count("exe_a", source);
  }
  for (let i = 0; i < 9_998; i++) wrong.count("exe_a", `elsewhere ${i}`);
  assert.deepEqual(overLimit(), [true, true]);
  wrong.count("exe_a", "one more");
  assert.deepEqual(overLimit(), [false, true]);
});

/** Takes the place of `performance.now()`. */
class Clock implements Disposable {
  readonly #now = performance.now;
  #time = 1_000_000;

  constructor() {
    performance.now = () => this.#time;
  }

  advance(ms: number): void {
    this.#time += ms;
  }

  [Symbol.dispose](): void {
    performance.now = this.#now;
  }
}
