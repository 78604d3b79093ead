/**
 * Issue 10, items 5 and 7: real executors beside which another has registered, and whose ticket has
 * ended while they were away.
 *
 * @module
 */
import assert from "node:assert/strict";
import { CutProxy } from "../support/cut_proxy.ts";
import { onOneDatabase } from "../support/databases.ts";
import { untilConnected } from "../support/exclusive.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { whyNoHosts } from "../support/hosts/hosts.ts";
import { CapturedLogs } from "../support/logs.ts";
import { letMinutesPass } from "../support/registrations.ts";
import { connectOk, noiseRegistration, register } from "../support/relay.ts";
import { until } from "../support/websocket.ts";
import { runTurn } from "./support/codex.ts";
import { DIALS_ITS_URL_AGAIN, type Pair } from "./support/releases.ts";
import { type Rig, withRig } from "./support/rig.ts";

/** How many tests there are: they take turns on the databases. */
let registered = 0;

/** How long an executor may take to come back, in milliseconds: it waits ever longer between its tries. */
const BACK_WITHIN_MS = 90_000;

for (const version of DIALS_ITS_URL_AGAIN) {
  test(version, "a register call without a dial takes no turn from it", async (rig) => {
    const before = await connectOk(rig.gateway, rig.credentials);
    await register(rig.gateway, rig.credentials, noiseRegistration(3));
    await assertServes(rig);
    const after = await connectOk(rig.gateway, rig.credentials);
    assert.equal(after.executor_registration_id, before.executor_registration_id);
  });

  test(
    version,
    "its ticket has ended while it was away: it registers again and serves",
    async (rig) => {
      const before = await connectOk(rig.gateway, rig.credentials);
      await rig.gateway.stop();
      await letMinutesPass(rig.database, 11);
      using logs = new CapturedLogs();
      await using again = await startGateway(rig.database, {
        host: "0.0.0.0",
        port: rig.gateway.port,
      });
      await untilConnected(again, rig.exeId, BACK_WITHIN_MS);
      assert.equal(registrationsIn(logs), 1);
      assert.ok(await refusedDials(again) >= 1, "it had dialled by its old ticket");
      const after = await connectOk(again, rig.credentials);
      assert.notEqual(after.executor_registration_id, before.executor_registration_id);
      assert.deepEqual(after.executor_public_key, before.executor_public_key, "of one process");
      await assertServes(rig);
      await rig.executor[Symbol.asyncDispose]();
    },
  );

  test(version, "its ticket has not ended: it comes back by it", async (rig) => {
    await rig.gateway.stop();
    await letMinutesPass(rig.database, 9);
    using logs = new CapturedLogs();
    await using again = await startGateway(rig.database, {
      host: "0.0.0.0",
      port: rig.gateway.port,
    });
    await untilConnected(again, rig.exeId, BACK_WITHIN_MS);
    assert.equal(registrationsIn(logs), 0);
    await assertServes(rig);
    await rig.executor[Symbol.asyncDispose]();
  });
}

test("0.140.0", "it registers after each close, and needs no ticket to last", async (rig) => {
  await using proxy = await CutProxy.before(
    { hostname: "127.0.0.1", port: rig.gateway.port },
    { host: "0.0.0.0" },
  );
  await rig.startExecutor({ port: proxy.port });
  using logs = new CapturedLogs();
  proxy.drop();
  await until(
    "it has dialled in again",
    () => logs.fieldsOf("executor connected") !== undefined,
    BACK_WITHIN_MS,
  );
  assert.equal(registrationsIn(logs), 1);
  assert.equal(await refusedDials(rig.gateway), 0);
  await assertServes(rig);
  await rig.executor[Symbol.asyncDispose]();
});

/** Registers a test of one release, with its executor connected, on one database. */
function test(version: string, name: string, run: (rig: Rig) => Promise<void>): void {
  const isNoise = DIALS_ITS_URL_AGAIN.includes(version);
  const pair: Pair = {
    executor: version,
    harness: version,
    kind: isNoise ? "noise" : "relay",
    orphanMs: 0,
    outlivesGateway: isNoise,
  };
  onOneDatabase(
    `executor ${version}: ${name}`,
    registered++,
    (database) => withRig(pair, database, run),
    { ignore: whyNoHosts !== undefined },
  );
}

async function assertServes(rig: Rig): Promise<void> {
  const { outputs, stderr } = await runTurn({ ...await rig.turn(), commands: ["echo served"] });
  assert.deepEqual(outputs, ["served\n"], stderr);
}

/** How many register calls were answered well. */
function registrationsIn(logs: CapturedLogs): number {
  return logs.records.filter((record) => record.message.join("") === "executor registered").length;
}

/** How many dials were answered 401. */
async function refusedDials(gateway: TestGateway): Promise<number> {
  const samples = await gateway.samples(
    'cxg_refusals_total{route="/codex-exec/:exe_id",status="401"',
  );
  return samples.reduce((sum, sample) => sum + Number(sample.split(" ")[1]), 0);
}
