import assert from "node:assert/strict";
import { LastSeen } from "../../src/presence/last_seen.ts";
import type { Sighting } from "../../src/model.ts";

/** A store whose statements end when the test says so. */
class FakeStore {
  readonly statements: {
    sightings: readonly Sighting[];
    answer: PromiseWithResolvers<string[]>;
  }[] = [];

  readonly write = (sightings: readonly Sighting[]): Promise<string[]> => {
    const answer = Promise.withResolvers<string[]>();
    this.statements.push({ sightings, answer });
    return answer.promise;
  };

  /** The executors that each statement was about. */
  get asked(): string[][] {
    return this.statements.map(({ sightings }) => sightings.map(({ exe_id }) => exe_id));
  }

  /** Ends the newest statement: it knew these, or all that it was asked for. */
  async finish(known?: string[]): Promise<void> {
    const { sightings, answer } = this.statements.at(-1)!;
    answer.resolve(known ?? sightings.map(({ exe_id }) => exe_id));
    await settled();
  }
}

/** Lets what is ready to run, run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

const unexpected = (exeId: string) => assert.fail(`${exeId} was called unknown`);

Deno.test("what is noted is written", async () => {
  const store = new FakeStore();
  const lastSeen = new LastSeen(store.write, unexpected);
  lastSeen.note({ exe_id: "exe_1" });
  assert.deepEqual(store.asked, [["exe_1"]]);
  await store.finish();
  lastSeen.note({ exe_id: "exe_2" }, { exe_id: "exe_3" });
  assert.deepEqual(store.asked, [["exe_1"], ["exe_2", "exe_3"]]);
  await store.finish();
  await lastSeen.drain();
  assert.equal(store.asked.length, 2);
});

Deno.test("one statement is under way at a time and the next takes all noted meanwhile, once", async () => {
  const store = new FakeStore();
  const lastSeen = new LastSeen(store.write, unexpected);
  lastSeen.note({ exe_id: "first" });
  for (let i = 0; i < 1000; i++) lastSeen.note({ exe_id: `exe_${i}` });
  lastSeen.note({ exe_id: "exe_7" }, { exe_id: "first" });
  await settled();
  assert.equal(store.asked.length, 1);
  await store.finish();
  assert.equal(store.asked.length, 2);
  assert.deepEqual(store.asked[1], [
    ...Array.from({ length: 1000 }, (_, i) => `exe_${i}`),
    "first",
  ]);
  await store.finish();
  await lastSeen.drain();
  assert.equal(store.asked.length, 2);
});

Deno.test("what was noted twice is written once for each registration, and a dial is not forgotten", async () => {
  const store = new FakeStore();
  const lastSeen = new LastSeen(store.write, unexpected);
  lastSeen.note({ exe_id: "first" });
  const [one, two] = [1, 2].map((n) => ({ exe_id: "exe_1", registration_id: `reg_${n}` }));
  lastSeen.note(one!, { exe_id: "exe_1" }, { ...two!, dialled: true }, two!, one!);
  await store.finish();
  assert.deepEqual(store.statements.at(-1)?.sightings, [
    one,
    { exe_id: "exe_1" },
    { ...two, dialled: true },
  ]);
  await store.finish();
});

Deno.test("executors that the store does not know are reported, the others are not", async () => {
  const store = new FakeStore();
  const unknown: string[] = [];
  const lastSeen = new LastSeen(store.write, (exeId) => unknown.push(exeId));
  lastSeen.note({ exe_id: "exe_1" }, { exe_id: "exe_2" }, { exe_id: "exe_3" });
  await store.finish(["exe_2"]);
  assert.deepEqual(unknown, ["exe_1", "exe_3"]);
});

Deno.test("noting from within the report is written too", async () => {
  const store = new FakeStore();
  const lastSeen: LastSeen = new LastSeen(store.write, () => lastSeen.note({ exe_id: "again" }));
  lastSeen.note({ exe_id: "exe_1" });
  await store.finish([]);
  assert.deepEqual(store.asked, [["exe_1"], ["again"]]);
  await store.finish();
  await lastSeen.drain();
});

Deno.test("a write that fails rejects nothing, and the next one is made", async () => {
  const store = new FakeStore();
  const lastSeen = new LastSeen(store.write, unexpected);
  lastSeen.note({ exe_id: "exe_1" });
  lastSeen.note({ exe_id: "exe_2" });
  store.statements[0]!.answer.reject(new Error("the store is away"));
  await settled();
  assert.deepEqual(store.asked, [["exe_1"], ["exe_2"]]);
  store.statements[1]!.answer.reject(new Error("still away"));
  await lastSeen.drain();
  lastSeen.note({ exe_id: "exe_3" });
  assert.deepEqual(store.asked.at(-1), ["exe_3"]);
  await store.finish();
});

Deno.test("a write that fails is logged", async () => {
  const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  const code = `
    import { configureLogging } from ${url("../../src/log/logging.ts")};
    import { LastSeen } from ${url("../../src/presence/last_seen.ts")};
    configureLogging("warn");
    const lastSeen = new LastSeen(() => Promise.reject(new Error("the store is away")), () => {});
    lastSeen.note({ exe_id: "exe_1" }, { exe_id: "exe_2" });
    await lastSeen.drain();
  `;
  const { code: exitCode, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", code],
    cwd: new URL("../../", import.meta.url),
  }).output();
  const text = new TextDecoder().decode(stderr);
  assert.equal(exitCode, 0, text);
  const { level, count, error } = JSON.parse(text);
  assert.deepEqual({ level, count, error }, {
    level: "WARN",
    count: 2,
    error: "Error: the store is away",
  });
});

Deno.test("drain waits for what is under way and for what was noted meanwhile", async () => {
  const store = new FakeStore();
  const lastSeen = new LastSeen(store.write, unexpected);
  await lastSeen.drain();
  lastSeen.note({ exe_id: "exe_1" });
  lastSeen.note({ exe_id: "exe_2" });
  let drained = false;
  const draining = lastSeen.drain().then(() => drained = true);
  await store.finish();
  assert.equal(drained, false);
  await store.finish();
  await draining;
  assert.deepEqual(store.asked, [["exe_1"], ["exe_2"]]);
});

Deno.test("noting nothing changes nothing: what is noted after it is written", async () => {
  const store = new FakeStore();
  const lastSeen = new LastSeen(store.write, unexpected);
  lastSeen.note();
  assert.deepEqual(store.asked, []);
  lastSeen.note({ exe_id: "exe_1" });
  await settled();
  assert.deepEqual(store.asked, [["exe_1"]]);
  await store.finish();
});

Deno.test("once a minute those that are connected are marked, also after a minute with none", async () => {
  using minute = new Intervals();
  const store = new FakeStore();
  const lastSeen = new LastSeen(store.write, unexpected);
  const stop = new AbortController();
  let connected: Sighting[] = [];
  lastSeen.startHeartbeat(() => connected, stop.signal);
  assert.deepEqual(minute.periods, [60_000]);

  minute.pass();
  await settled();
  assert.deepEqual(store.asked, [], "nobody is connected");
  connected = [{ exe_id: "exe_1" }, { exe_id: "exe_2", registration_id: "reg_2" }];
  minute.pass();
  await settled();
  assert.deepEqual(store.statements.map(({ sightings }) => sightings), [connected]);
  await store.finish();

  stop.abort();
  assert.deepEqual(minute.periods, [], "the heartbeat ends with its signal");
});

type Timer = ReturnType<typeof setInterval>;

/** Stands in for `setInterval` until it is disposed: the test says when the time has passed. */
class Intervals {
  readonly #real = { setInterval: globalThis.setInterval, clearInterval: globalThis.clearInterval };
  readonly #running = new Map<Timer, { work: () => void; ms: number }>();

  constructor() {
    const set = (work: () => void, ms: number) => {
      // A real one for an id, since the code under test may hand it to the runtime; never due.
      const id = this.#real.setInterval(() => {}, 2 ** 31 - 1);
      this.#running.set(id, { work, ms });
      return id;
    };
    const clear = (id: Timer) => {
      this.#real.clearInterval(id);
      this.#running.delete(id);
    };
    Object.assign(globalThis, { setInterval: set, clearInterval: clear });
  }

  get periods(): number[] {
    return [...this.#running.values()].map(({ ms }) => ms);
  }

  pass(): void {
    for (const { work } of this.#running.values()) work();
  }

  [Symbol.dispose](): void {
    Object.assign(globalThis, this.#real);
    for (const id of this.#running.keys()) clearInterval(id);
  }
}
