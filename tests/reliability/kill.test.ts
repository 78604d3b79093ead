/**
 * Issue 4, item 4: `kill -9` at any moment loses no executor and no binding that was answered 201.
 *
 * `--seed=N` tries the moments of another run again, as far as the machine's pace allows.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { StoreOptions } from "../../src/store/store.ts";
import { Random } from "../fuzz/random.ts";
import { databases, type TestDatabases } from "../support/databases.ts";
import type { CreatedExecutor } from "../support/gateway.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { until } from "../support/websocket.ts";
import { report } from "./support/figures.ts";
import { full } from "./support/scale.ts";
import { assertSound } from "./support/soundness.ts";

const KILLS = full ? 100 : 8;

const CLIENTS = 4;

/**
 * How many answers a gateway has given at most when it is killed, and how long after the last of them it
 * is killed at the latest, in milliseconds: about as long as the next one takes.
 */
const MOST_ANSWERS = 24;
const AFTER_ANSWER_MS = 60;

/** How long to wait for those answers, in milliseconds. */
const PATIENCE_MS = 60_000;

const seed = seedOfRun();

/** What a gateway is doing when it is killed. */
type Moment = "serving" | "starting" | "making its database";

for (const database of databases) {
  const { name, available } = database;
  Deno.test({
    name: `kill -9 at any moment loses nothing that was answered 201 (${name})`,
    ignore: !available,
    async fn() {
      // deno-lint-ignore no-console
      console.log(`seed ${seed}`);
      const random = new Random(seed, name);
      const { options, dispose } = await database.create();
      try {
        const started = performance.now();
        await (await GatewayProcess.start(options))[Symbol.asyncDispose]();
        const startMs = performance.now() - started;
        const known = new Known();
        const kills = { serving: 0, starting: 0, "making its database": 0 };
        for (let i = 0; i < KILLS; i++) {
          const moment = momentOf(i, random);
          kills[moment]++;
          if (moment === "serving") await killServing(options, known, random);
          else if (moment === "starting") await killStarting(options, startMs, random);
          else await killMaking(database, startMs, random);
        }
        {
          await using last = await GatewayProcess.start(options);
          await known.assertAllIn(last);
          last.kill("SIGTERM");
          await last.exited;
        }
        if (name === "embedded") await assertSound(options.dataDir);
        const { serving } = kills;
        assert.ok(known.executors.size >= serving, `only ${known.executors.size} were made`);
        await report(
          `kill -9, ${name}: executors and bindings lost that were answered 201`,
          `0 of ${known.executors.size} and ${known.bindings.size}; ${kills.serving} kills while it ` +
            `served, ${kills.starting} while it started, ${
              kills["making its database"]
            } while it ` +
            "made its database",
        );
      } finally {
        await dispose();
      }
    },
  });
}

/** What was answered 201. */
class Known {
  readonly executors = new Set<string>();
  readonly bindings = new Set<string>();

  /** How many were answered. */
  get answers(): number {
    return this.executors.size + this.bindings.size;
  }

  /** Every binding is listed, and every executor is there: else it could not be bound. */
  async assertAllIn(gateway: GatewayProcess): Promise<void> {
    const response = await gateway.call("GET", BINDINGS);
    assert.equal(response.status, 200);
    const rows: { exe_id: string; is_default: boolean }[] = await response.json();
    const listed = new Set(rows.map(({ exe_id }) => exe_id));
    assert.deepEqual([...this.bindings].filter((exeId) => !listed.has(exeId)), []);
    assert.ok(rows.filter(({ is_default }) => is_default).length <= 1, "one default at most");
    for (const exe_id of this.executors) {
      if (listed.has(exe_id)) continue;
      const bound = await gateway.call("POST", BINDINGS, { exe_id });
      assert.equal(bound.status, 201, `${exe_id}: ${await bound.text()}`);
      this.bindings.add(exe_id);
    }
  }
}

const BINDINGS = "/api/codex-exec/workspaces/ws_kill/executors";

/** Each moment is among even a few kills; the rest are up to chance. */
function momentOf(i: number, random: Random): Moment {
  if (i === 0) return "making its database";
  if (i === 1) return "starting";
  if (random.chance(0.15)) return "making its database";
  return random.chance(0.3) ? "starting" : "serving";
}

/** Checks what is known, and kills the gateway while clients make more. */
async function killServing(options: StoreOptions, known: Known, random: Random): Promise<void> {
  await using gateway = await GatewayProcess.start(options);
  await known.assertAllIn(gateway);
  const answers = known.answers + random.below(MOST_ANSWERS);
  const clients = Array.from({ length: CLIENTS }, (_, i) => createAndBind(gateway, known, i));
  await until("so many were answered", () => known.answers >= answers, PATIENCE_MS);
  await sleep(random.below(AFTER_ANSWER_MS));
  gateway.kill("SIGKILL");
  await gateway.exited;
  await Promise.all(clients);
}

/** Kills a gateway that has just been started, perhaps before it listens. */
async function killStarting(options: StoreOptions, startMs: number, random: Random) {
  await using gateway = GatewayProcess.launch(options);
  await sleep(random.below(startMs));
  gateway.kill("SIGKILL");
  await gateway.exited;
}

/**
 * Kills a gateway on a database that is new: while it is made, where the gateway does that, or while it
 * is migrated. The next one has to get on with what it finds.
 */
async function killMaking(database: TestDatabases, startMs: number, random: Random): Promise<void> {
  const { options, dispose } = await database.create();
  try {
    const makes = database.name === "embedded" && random.chance(0.5);
    if (makes) await Deno.remove(`${options.dataDir}/pgdata`, { recursive: true });
    await killStarting(options, makes ? 4 * startMs : startMs, random);
    const known = new Known();
    {
      await using gateway = await GatewayProcess.start(options);
      const response = await gateway.call("GET", BINDINGS);
      assert.deepEqual([response.status, await response.json()], [200, []]);
      const clients = [createAndBind(gateway, known, 0)];
      await until("one is bound", () => known.bindings.size > 0, PATIENCE_MS);
      gateway.kill("SIGKILL");
      await gateway.exited;
      await Promise.all(clients);
    }
    await using after = await GatewayProcess.start(options);
    await known.assertAllIn(after);
  } finally {
    await dispose();
  }
}

/** Creates executors and binds every other one, until the gateway is gone. */
async function createAndBind(gateway: GatewayProcess, known: Known, client: number): Promise<void> {
  for (let n = client;; n++) {
    const created = await ask(gateway, "/api/codex-exec/register", {});
    if (created === "gone") return;
    if (created === "refused") continue;
    const { exe_id }: CreatedExecutor = JSON.parse(created);
    known.executors.add(exe_id);
    if (n % 2 === 1) continue;
    const bound = await ask(gateway, BINDINGS, { exe_id, is_default: n % 4 === 0 });
    if (bound === "gone") return;
    if (bound !== "refused") known.bindings.add(exe_id);
  }
}

/**
 * The body of a 201. Else `refused`, when the store took too long, or `gone`, when the gateway was before
 * all of its answer had come.
 */
async function ask(gateway: GatewayProcess, path: string, body: unknown): Promise<string> {
  let status, text;
  try {
    const response = await gateway.call("POST", path, body, { "x-user-id": "user_test" });
    status = response.status;
    text = await response.text();
  } catch (error) {
    if (error instanceof TypeError) return "gone";
    throw error;
  }
  if (status === 503) return "refused";
  assert.equal(status, 201, text);
  return text;
}

function seedOfRun(): number {
  const given = Deno.args.find((arg) => arg.startsWith("--seed="))?.slice("--seed=".length);
  return given === undefined ? new Random(Date.now()).uint32() : Number(given);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
