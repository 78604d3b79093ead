/**
 * Two machines with one registration token (issue 10, item 8).
 *
 * @module
 */
import assert from "node:assert/strict";
import { Contention } from "../../src/switchboard/contention.ts";
import { dialIn, greet, openBridge, untilGone } from "../support/exclusive.ts";
import { type CreatedExecutor, gatewayTest, type TestGateway } from "../support/gateway.ts";
import { CapturedLogs } from "../support/logs.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { dialInAsNoise, NOISE_REGISTRATION, openNoiseBridge, register } from "../support/relay.ts";
import { connect, handshake, type Peer, until } from "../support/websocket.ts";

const REPLACED = { code: 1008, reason: "replaced by a newer connection" };
const FIGHT = "two machines seem to use one registration token, and take the executor from each " +
  "other: give each an executor and a token of its own (executor add). For a minute the one that is " +
  "connected is kept";

let now = 0;

/** Each test begins long after the one before. */
const options = { contention: new Contention(() => now) };

function contestedTest(
  name: string,
  run: (gateway: TestGateway) => Promise<void>,
  more = {},
): void {
  gatewayTest(name, async (gateway) => {
    now += 600_000;
    await run(gateway);
  }, { ...options, ...more });
}

/** Dials in as often as it takes to begin a contest; returns the connection that is kept. */
async function fight(gateway: TestGateway, dial: () => Promise<Peer>): Promise<Peer> {
  let kept = await dial();
  const before = await gateway.metric("cxg_executor_replacements_total");
  for (let replaced = 1; replaced <= 4; replaced++) {
    now += 1_000;
    const newcomer = await dial();
    assert.deepEqual(await kept.closed, REPLACED);
    kept = newcomer;
  }
  assert.equal(await gateway.metric("cxg_executor_replacements_total"), before + 4);
  return kept;
}

async function listed(gateway: TestGateway, { exe_id }: CreatedExecutor) {
  const path = "/api/codex-exec/workspaces/ws_test/executors";
  const executors: { exe_id: string; connected: boolean; contested_until?: string }[] =
    await (await gateway.call("GET", path)).json();
  return executors.find((it) => it.exe_id === exe_id)!;
}

contestedTest(
  "from the fourth time on, the one that is there is kept and serves",
  async (gateway) => {
    using logs = new CapturedLogs();
    const executor = await gateway.createExecutor();
    const { exe_id, registration_token } = executor;
    const url = `${gateway.wsUrl}/codex-exec/${exe_id}?token=${registration_token}`;
    const kept = await fight(gateway, () => dialIn(gateway, executor));

    const answer = await handshake(url);
    assert.equal(answer.status, 409);
    assert.equal(answer.headers["retry-after"], "60");
    const { error } = JSON.parse(answer.body);
    assert.match(error, /several machines use its registration token: give each machine/);
    assert.ok(error.length <= 300 && !error.includes(registration_token));
    await using harness = await openBridge(gateway, exe_id);
    await greet(harness, kept);

    const { connected, contested_until } = await listed(gateway, executor);
    assert.equal(connected, true);
    assert.ok(Date.parse(contested_until!) > Date.now());
    assert.equal(await gateway.metric("cxg_executors_contested"), 1);
    const errors = logs.records.filter(({ level }) => level === "error");
    assert.deepEqual(errors.map(({ message }) => message.join("")), [FIGHT]);
    const fields = {
      exe_id,
      remote: "127.0.0.1",
      earlier_remote: "127.0.0.1",
      earlier_lasted_s: 1,
    };
    assert.deepEqual(errors[0]!.properties, { ...fields, replaced_within_a_minute: 4 });
    assert.deepEqual(
      logs.fieldsOf("executor dialled in anew: its earlier connection is closed"),
      fields,
    );
    assert.equal(logs.fieldsOf("refused")?.reason, "contested");

    now += 60_000;
    assert.equal((await listed(gateway, executor)).contested_until, undefined);
    assert.equal(await gateway.metric("cxg_executors_contested"), 0);
    await using _next = await connect(url);
    assert.deepEqual(await kept.closed, REPLACED, "for a minute at a time");
    assert.equal((await handshake(url)).status, 409, "the contest goes on");
  },
);

contestedTest("the registrations of the one that is refused disturb nobody", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using kept = await fight(gateway, () => dialInAsNoise(gateway, executor));
  const { url } = await register(gateway, executor, NOISE_REGISTRATION);
  assert.equal((await handshake(url)).status, 409);
  await using harness = await openNoiseBridge(gateway, executor.exe_id);
  harness.close();
  await harness.closed;
  assert.equal(kept.pending, 0);
});

contestedTest("a contested executor that has gone is not locked out", async (gateway) => {
  const executor = await gateway.createExecutor();
  const kept = await fight(gateway, () => dialIn(gateway, executor));
  kept.close();
  await untilGone(gateway, executor.exe_id);
  await using again = await dialIn(gateway, executor);
  await using harness = await openBridge(gateway, executor.exe_id);
  await greet(harness, again);
});

contestedTest(
  "one that answers no ping is kept for two intervals and no longer",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    const { exe_id, registration_token } = executor;
    const path = `/codex-exec/${exe_id}`;
    const before = await fight(gateway, () => dialIn(gateway, executor));
    now += 60_000;
    using dead = await RawSocket.open(gateway.port, path, registration_token);
    dead.stopReading();
    await before.closed;
    const status = async () => (await handshake(gateway.wsUrl + path, authorization)).status;
    const authorization = { authorization: `Bearer ${registration_token}` };
    assert.equal(await status(), 409);
    await until("a newcomer is let in", async () => await status() === 101, 60_000);
  },
  { pingIntervalS: 2 },
);
