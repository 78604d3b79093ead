import assert from "node:assert/strict";
import { Contention } from "../../src/switchboard/contention.ts";

/** Contention by a clock of its own, and connections that come one after the other. */
class Fight {
  now = 1_000_000;
  readonly contention = new Contention(() => this.now);
  readonly #connected = new Map<string, object>();

  /** A newcomer takes the executor, `seconds` later. */
  take(seconds: number, remote = "10.0.0.1", exeId = "exe_1") {
    this.now += seconds * 1000;
    const conn = {};
    const evicted = this.#connected.get(exeId);
    this.#connected.set(exeId, conn);
    return this.contention.arrived(exeId, conn, remote, evicted);
  }

  /** The connection that is there has gone. */
  leave(exeId = "exe_1") {
    this.#connected.delete(exeId);
  }

  contestedForS(exeId = "exe_1"): number {
    return this.contention.contestedForMs(exeId) / 1000;
  }
}

Deno.test("a replacement says from where the earlier connection came, and how long it lasted", () => {
  const fight = new Fight();
  assert.equal(fight.take(0, "10.0.0.1"), undefined, "there was none before");
  assert.deepEqual(fight.take(90, "10.0.0.2"), {
    earlierRemote: "10.0.0.1",
    earlierAgeMs: 90_000,
    lately: 1,
    beginsContest: false,
  });
  assert.equal(fight.contention.replacements, 1);
});

Deno.test("the fourth replacement within a minute begins a contest, which lasts a minute", () => {
  const fight = new Fight();
  fight.take(0);
  const begun = [1, 20, 20, 18.9].map((s) => fight.take(s)!.beginsContest);
  assert.deepEqual(begun, [false, false, false, true]);
  assert.equal(fight.contestedForS(), 60);
  assert.equal(fight.contention.contested, 1);
  fight.now += 59_999;
  assert.equal(fight.contestedForS(), 0.001);
  fight.now += 1;
  assert.equal(fight.contestedForS(), 0);
  assert.equal(fight.contention.contested, 0);
});

Deno.test("four that take longer than a minute begin none", () => {
  const fight = new Fight();
  fight.take(0);
  for (const seconds of Array<number>(40).fill(20)) {
    const { beginsContest, lately } = fight.take(seconds)!;
    assert.equal(beginsContest, false);
    assert.ok(lately <= 3);
  }
  assert.equal(fight.contestedForS(), 0);
  assert.equal(fight.contention.replacements, 40);
});

Deno.test("an executor that comes back after its connection has gone replaces nothing", () => {
  const fight = new Fight();
  for (let start = 0; start < 20; start++) {
    assert.equal(fight.take(1), undefined);
    fight.leave();
  }
  assert.equal(fight.contention.replacements, 0);
});

Deno.test("a contest goes on with the first replacement after it, unless a minute of peace has passed", () => {
  const fight = new Fight();
  for (const seconds of [0, 1, 1, 1, 1]) fight.take(seconds);
  assert.equal(fight.take(60 + 59)!.beginsContest, true);
  assert.equal(fight.contestedForS(), 60);
  const { beginsContest, lately } = fight.take(60 + 60)!;
  assert.deepEqual({ beginsContest, lately }, { beginsContest: false, lately: 1 });
});

Deno.test("one that comes all the same while a contest lasts begins no other, and lengthens none", () => {
  const fight = new Fight();
  for (const seconds of [0, 1, 1, 1, 1]) fight.take(seconds);
  assert.equal(fight.take(10)!.beginsContest, false);
  assert.equal(fight.contestedForS(), 50);
});

Deno.test("each executor has a contest of its own", () => {
  const fight = new Fight();
  for (const seconds of [0, 1, 1, 1, 1]) fight.take(seconds, "10.0.0.1", "exe_1");
  for (const seconds of [0, 1, 1, 1]) fight.take(seconds, "10.0.0.1", "exe_2");
  assert.equal(fight.contestedForS("exe_1"), 57);
  assert.equal(fight.contestedForS("exe_2"), 0);
  assert.equal(fight.contention.contested, 1);
});
