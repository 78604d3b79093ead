import assert from "node:assert/strict";
import type { Registration, Sighting } from "../../src/model.ts";
import type { NewRegistration } from "../../src/store/registrations.ts";
import { ExecutorExistsError, Store, type StoreOptions } from "../../src/store/store.ts";
import { forEachDatabase, onPostgres } from "../support/databases.ts";
import { letMinutesPass, withDatabase } from "../support/registrations.ts";

const noise = (key: unknown, security_profile = "p"): NewRegistration => ({
  kind: "noise",
  security_profile,
  executor_public_key: key,
});
const RELAY: NewRegistration = { kind: "relay" };

storeTest("a registration is found as it was made, until its executor is removed", async (its) => {
  for (const made of [noise({ b: 1, a: "é" }), RELAY, { kind: "exclusive" } as const]) {
    const registration = await make(its, made);
    assert.deepEqual(registration, { registration_id: registration.registration_id, ...made });
    const found = await its.store.registrations.find("a", registration.registration_id);
    assert.deepEqual(found, { registration, isFresh: true, tokenHash: "hash" });
    assert.equal(await its.store.registrations.find("b", registration.registration_id), undefined);
  }
  const { registration_id } = await make(its, RELAY);
  await its.store.deleteExecutor("a");
  assert.equal(await its.store.registrations.find("a", registration_id), undefined);
  assert.equal(await its.store.registrations.make("a", RELAY), undefined);
});

storeTest("an equal key for the same profile keeps its id, and nothing else does", async (its) => {
  const { registration_id } = await make(its, noise({ key: 1 }));
  const others = [
    await make(its, noise({ key: 2 })),
    await make(its, noise({ key: 1 }, "another")),
    await make(its, RELAY),
    await make(its, RELAY),
    (await its.store.registrations.make("b", noise({ key: 1 })))!,
  ];
  const ids = new Set([registration_id, ...others.map(({ registration_id }) => registration_id)]);
  assert.equal(ids.size, 6);
  assert.equal((await make(its, noise({ key: 1 }))).registration_id, registration_id);
});

storeTest("what was not used for ten minutes is stale, and not taken up again", async (its) => {
  const first = await make(its, noise({ key: 1 }));
  const isFresh = async () =>
    (await its.store.registrations.find("a", first.registration_id))?.isFresh;
  await its.minutesPass(9);
  assert.equal(await isFresh(), true);
  await its.minutesPass(2);
  assert.equal(await isFresh(), false);
  const again = await make(its, noise({ key: 1 }));
  assert.notEqual(again.registration_id, first.registration_id);
  assert.equal(await isFresh(), undefined, "the next register call takes it away");
});

storeTest("being made again, dialled by, seen and left are uses", async (its) => {
  const { registration_id } = await make(its, noise({ key: 1 }));
  const other = await make(its, RELAY);
  const uses = [
    () => make(its, noise({ key: 1 })),
    () => seen(its, { registration_id, dialled: true }),
    () => seen(its, { registration_id }),
  ];
  for (const use of uses) {
    await its.minutesPass(9);
    await use();
    await its.minutesPass(9);
    assert.equal((await its.store.registrations.find("a", registration_id))?.isFresh, true);
  }
  assert.notEqual((await its.store.registrations.find("a", other.registration_id))?.isFresh, true);
});

storeTest(
  "of one executor only the last are kept, and the one that dialled in last",
  async (its) => {
    const dialled = await make(its, RELAY);
    await seen(its, { registration_id: dialled.registration_id, dialled: true });
    const made: Registration[] = [];
    for (let i = 0; i < 40; i++) made.push(await make(its, noise({ i })));
    const others = await its.store.registrations.make("b", RELAY);
    const isKept = async ({ registration_id }: Registration, exeId = "a") =>
      await its.store.registrations.find(exeId, registration_id) !== undefined;
    assert.equal(await isKept(dialled), true);
    const kept = await Promise.all(made.map((registration) => isKept(registration)));
    assert.deepEqual(kept, made.map((_, i) => i >= 40 - 17), "sixteen and the newest");
    assert.equal(await isKept(others!, "b"), true, "another executor's are not counted");
  },
);

storeTest("the latest is the one that was dialled by last", async (its) => {
  const [a, b] = [await make(its, noise("a")), await make(its, noise("b"))];
  const latest = async (...[{ registration_id }, here]: [Registration, Registration?]) =>
    await its.store.registrations.isLatest("a", registration_id, here?.registration_id);
  const dial = ({ registration_id }: Registration) => seen(its, { registration_id, dialled: true });
  assert.equal(await latest(a), true, "nobody has dialled in yet");
  await dial(a);
  await dial(b);
  assert.deepEqual([await latest(a), await latest(b)], [false, true]);
  await dial(a);
  assert.deepEqual([await latest(a), await latest(b)], [true, false]);
  await seen(its, { registration_id: b.registration_id });
  assert.deepEqual([await latest(a), await latest(b)], [true, false], "to be seen is no dial");
  assert.deepEqual([await latest(a, b), await latest(b, a)], [true, false]);
  const fresh = await make(its, noise("c"));
  assert.equal(
    await latest(a, fresh),
    false,
    "the dial by the one that is live here is not noted yet",
  );
  assert.equal(await its.store.registrations.isLatest("a", "reg_none"), false);
});

storeTest("whether one was seen lately is known, and of nobody it needs not be", async (its) => {
  const { registrations } = its.store;
  assert.equal(await registrations.wasSeen("a", 60), false);
  await seen(its, {});
  assert.equal(await registrations.wasSeen("a", 60), true);
  assert.equal(await registrations.wasSeen("a", 0), false, "not in so short a time");
  assert.equal(await registrations.wasSeen("nobody", 60), true);
});

storeTest("those that were seen are known, each once", async (its) => {
  const { registration_id } = await make(its, RELAY);
  const known = await its.store.registrations.noteSeen([
    { exe_id: "a", registration_id },
    { exe_id: "a", registration_id: "reg_none" },
    { exe_id: "b" },
    { exe_id: "nobody", registration_id },
  ]);
  assert.deepEqual(known.sort(), ["a", "b"]);
  assert.deepEqual(await its.store.registrations.noteSeen([]), []);
});

storeTest(
  "another registration token ends what was registered with the one before",
  async (its) => {
    const mine = await make(its, noise({ key: 1 }));
    const others = (await its.store.registrations.make("b", RELAY))!;
    await its.changed("UPDATE executors SET description = 'new', registration_token_hash = 'hash'");
    assert.ok(
      await its.store.registrations.find("a", mine.registration_id),
      "the hash is the same",
    );
    await its.changed("UPDATE executors SET registration_token_hash = '2' WHERE exe_id = 'a'");
    assert.equal(await its.store.registrations.find("a", mine.registration_id), undefined);
    assert.ok(await its.store.registrations.find("b", others.registration_id));
    const made = await its.store.registrations.make("a", RELAY, "hash");
    assert.equal(made, undefined, "nor is one made with it any more");
    assert.ok(await its.store.registrations.make("a", RELAY, "2"));
  },
);

/** A store with the executors `a` and `b`, in whose database things happen behind its back. */
class Subject {
  store: Store;
  readonly #options: StoreOptions;

  constructor(store: Store, options: StoreOptions) {
    this.store = store;
    this.#options = options;
  }

  async minutesPass(minutes: number): Promise<void> {
    await this.#whileClosed(() => letMinutesPass(this.#options, minutes));
  }

  async changed(statement: string): Promise<void> {
    await this.#whileClosed(() =>
      withDatabase(this.#options, (database) => database.query(statement, []))
    );
  }

  /** The embedded database can be open once only. */
  async #whileClosed(work: () => Promise<unknown>): Promise<void> {
    await this.store.close();
    await work();
    this.store = await Store.open(this.#options);
  }
}

function storeTest(name: string, test: (its: Subject) => Promise<void>): void {
  forEachDatabase(name, async (options) => {
    const its = new Subject(await Store.open(options), options);
    try {
      for (const exe_id of ["a", "b"]) {
        const texts = { user_id: "u", display_name: "", description: "", default_cwd: "" };
        await its.store.createExecutor({ exe_id, ...texts }, "hash");
      }
      await test(its);
    } finally {
      await its.store.close();
    }
  });
}

async function make({ store }: Subject, made: NewRegistration): Promise<Registration> {
  return await store.registrations.make("a", made) ?? assert.fail();
}

async function seen({ store }: Subject, sighting: Omit<Sighting, "exe_id">): Promise<void> {
  assert.deepEqual(await store.registrations.noteSeen([{ exe_id: "a", ...sighting }]), ["a"]);
}

onPostgres(
  "two processes that note, make and remove at once never wait for each other in vain",
  async (options) => {
    const stores = await Promise.all([1, 2].map(() => Store.open(options)));
    const ids = Array.from({ length: 6 }, (_, i) => `exe_${i}`);
    const create = async (store: Store, exe_id: string) => {
      const texts = { user_id: "u", display_name: "", description: "", default_cwd: "" };
      try {
        await store.createExecutor({ exe_id, ...texts }, "hash");
      } catch (error) {
        if (!(error instanceof ExecutorExistsError)) throw error;
      }
    };
    try {
      await Promise.all(ids.map((id) => create(stores[0]!, id)));
      const work = async (store: Store, n: number) => {
        for (let i = 0; i < 40; i++) {
          const at = (n * 7 + i) % ids.length;
          const made = await store.registrations.make(ids[at]!, noise({ key: i % 3 }));
          const order = n % 2 === 0 ? ids : ids.toReversed();
          await store.registrations.noteSeen(
            order.map((exe_id) => ({
              exe_id,
              registration_id: made?.registration_id,
              dialled: true,
            })),
          );
          if (i % 8 === n % 8) {
            await store.deleteExecutor(ids[at]!);
            await create(store, ids[at]!);
          }
        }
      };
      await Promise.all(Array.from({ length: 8 }, (_, n) => work(stores[n % 2]!, n)));
    } finally {
      for (const store of stores) await store.close();
    }
  },
);
