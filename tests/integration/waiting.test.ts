/**
 * Executors that are away: who is waited for, and who is refused at once. The windows of minutes are in
 * `tests/handlers/locate_executor.test.ts`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { dialIn, openBridge, untilGone } from "../support/exclusive.ts";
import { type CreatedExecutor, gatewayTest, type TestGateway } from "../support/gateway.ts";
import {
  askToConnect,
  dialInAsNoise,
  dialInAsRelay,
  NOISE_REGISTRATION,
  register,
} from "../support/relay.ts";
import { connect, handshake, type Peer, settled } from "../support/websocket.ts";

gatewayTest(
  "connect gives up on an executor sooner than a bridge does, and not before 5 s",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await leave(gateway, executor, dialInAsNoise);
    const token = await gateway.capToken(executor.exe_id);
    const bridge = handshake(`${gateway.wsUrl}/bridge/${executor.exe_id}?token=${token}`);
    const connecting = askToConnect(gateway, executor.exe_id);
    assert.equal(await settled(Promise.race([connecting, bridge]), 5_000), false, "both are held");
    const first = await Promise.race([connecting, bridge]);
    assert.ok(first instanceof Response, "codex gives each connect 6 s");
    assert.equal(first.status, 503);
    const { error } = await first.json();
    assert.match(error.message, /is not connected since \d\d:\d\d UTC; start `codex exec-server`/);
    assert.equal(first.headers.get("x-codex-rendezvous-rejection-reason"), "route_unavailable");
    const { status, body } = await bridge;
    assert.equal(status, 503);
    assert.equal(JSON.parse(body).error, error.message, "both are told the same");
  },
);

gatewayTest(
  "connect refuses at once where the executor speaks no Noise, though it may come back",
  async (gateway) => {
    for (const dial of [dialInAsRelay, dialInAsText]) {
      const executor = await gateway.createExecutor();
      await leave(gateway, executor, dial);
      const refused = await atOnce(gateway, () => askToConnect(gateway, executor.exe_id));
      assert.equal(refused.status, 400);
      assert.match(
        (await refused.json()).error.message,
        /does not speak Noise; point/,
      );
    }
  },
);

gatewayTest(
  "a relay harness is refused at once where the executor that is away speaks Noise",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await leave(gateway, executor, dialInAsNoise);
    const token = await gateway.capToken(executor.exe_id);
    const url = `${gateway.wsUrl}/bridge/${executor.exe_id}?token=${token}&role=harness`;
    const refused = await atOnce(gateway, () => handshake(url));
    assert.equal(refused.status, 400);
    assert.match(refused.body, /codex 0\.142 or later; start one/);
  },
);

gatewayTest(
  "whoever waits for an executor is told as it is removed, and nobody waits after",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await leave(gateway, executor, dialInAsNoise);
    const waiting = [askToConnect(gateway, executor.exe_id), bridgeTo(gateway, executor)];
    assert.equal(await settled(Promise.race(waiting), 300), false, "they wait");
    const removed = await gateway.call("DELETE", `/api/codex-exec/executors/${executor.exe_id}`);
    assert.equal(removed.status, 204);
    for (const { status } of await atOnce(gateway, () => Promise.all(waiting))) {
      assert.equal(status, 503);
    }
    const refused = await atOnce(gateway, () => askToConnect(gateway, executor.exe_id));
    assert.equal(refused.status, 503);
    assert.match((await refused.json()).error.message, /there is no executor .*; ask the platform/);
    assert.equal(refused.headers.get("x-codex-rendezvous-rejection-reason"), "unknown_route");
  },
);

gatewayTest("an executor that never dialled in is refused at once", async (gateway) => {
  const executor = await gateway.createExecutor();
  await register(gateway, executor, NOISE_REGISTRATION);
  const refused = await atOnce(gateway, () => askToConnect(gateway, executor.exe_id));
  assert.equal(refused.status, 503);
  assert.match((await refused.json()).error.message, /is not connected and never was; start/);
  assert.equal((await atOnce(gateway, () => bridgeTo(gateway, executor))).status, 503);
});

gatewayTest("the holder of an exclusive executor is dated in the refusal", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using _machine = await dialIn(gateway, executor);
  await using _harness = await openBridge(gateway, executor.exe_id);
  const { status, body } = await bridgeTo(gateway, executor);
  assert.equal(status, 409);
  assert.match(body, /is held by another session since \d\d:\d\d UTC; wait/);
});

/** Dials in and goes, and waits until the gateway knows that it has gone. */
async function leave(
  gateway: TestGateway,
  executor: CreatedExecutor,
  dial: (gateway: TestGateway, executor: CreatedExecutor) => Promise<Peer>,
): Promise<void> {
  await (await dial(gateway, executor))[Symbol.asyncDispose]();
  await untilGone(gateway, executor.exe_id);
}

/** Registers and dials in as codex 0.130 does. */
async function dialInAsText(
  gateway: TestGateway,
  executor: CreatedExecutor,
): Promise<Peer> {
  return await connect((await register(gateway, executor, { idempotency_id: "x" })).url);
}

async function bridgeTo(gateway: TestGateway, { exe_id }: CreatedExecutor) {
  const token = await gateway.capToken(exe_id);
  return await handshake(`${gateway.wsUrl}/bridge/${exe_id}?token=${token}`);
}

/** What comes before one is given up that was waited for when it was asked. */
async function atOnce<T>(gateway: TestGateway, ask: () => Promise<T>): Promise<T> {
  const away = await gateway.createExecutor();
  await leave(gateway, away, dialInAsNoise);
  // It is let go, at the latest, as the gateway stops.
  const held = askToConnect(gateway, away.exe_id).then(async (response) => {
    await response.body?.cancel();
    return HELD;
  });
  const answer = await Promise.race([ask(), held]);
  if (answer === HELD) assert.fail("it was held as long");
  return answer as T;
}

const HELD = Symbol("held");
