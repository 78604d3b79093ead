import assert from "node:assert/strict";
import { dialIn, greet, openBridge, untilConnected, untilGone } from "../support/exclusive.ts";
import { forEachDatabase } from "../support/databases.ts";
import { gatewayTest, startGateway, switchboardTest } from "../support/gateway.ts";
import { connect, handshake, settled } from "../support/websocket.ts";

switchboardTest("a second bridge is refused with 409 while the first is up", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using machine = await dialIn(gateway, executor);
  await using harness = await openBridge(gateway, executor.exe_id);
  await greet(harness, machine);
  const token = await gateway.capToken(executor.exe_id);
  const refused = await handshake(`${gateway.wsUrl}/bridge/${executor.exe_id}?token=${token}`);
  assert.equal(refused.status, 409);
  machine.send("still mine");
  assert.equal(await harness.next(), "still mine");
});

switchboardTest(
  "a text executor is closed when its bridge ends, and what was sent last still arrives",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialIn(gateway, executor);
    await using harness = await openBridge(gateway, executor.exe_id);
    const last = "x".repeat(5_000_000);
    harness.send("{}");
    harness.send(last);
    harness.close(1000, "done");
    assert.equal(await machine.next(), "{}");
    assert.equal(await machine.next(), last);
    assert.deepEqual(await machine.closed, { code: 1000, reason: "bridge ended" });
    await untilGone(gateway, executor.exe_id);
  },
);

switchboardTest(
  "an executor that goes ends its bridge at once, and what it sent last still arrives",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialIn(gateway, executor);
    await using harness = await openBridge(gateway, executor.exe_id);
    await greet(harness, machine);
    const last = "x".repeat(5_000_000);
    machine.send(last);
    machine.close();
    assert.equal(await harness.next(), last);
    assert.deepEqual(await harness.closed, { code: 1001, reason: "executor disconnected" });
  },
);

switchboardTest(
  "an executor that dials in anew ends the bridge of its old connection",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using old = await dialIn(gateway, executor);
    await using harness = await openBridge(gateway, executor.exe_id);
    await greet(harness, old);
    await using fresh = await dialIn(gateway, executor);
    assert.deepEqual(await old.closed, { code: 1008, reason: "replaced by a newer connection" });
    assert.deepEqual(await harness.closed, { code: 1001, reason: "executor dialled in anew" });
    // The old session's end must not have freed, or taken, what the new connection's bridge holds.
    await using next = await openBridge(gateway, executor.exe_id);
    await greet(next, fresh);
    const token = await gateway.capToken(executor.exe_id);
    assert.equal(
      (await handshake(`${gateway.wsUrl}/bridge/${executor.exe_id}?token=${token}`)).status,
      409,
    );
  },
);

gatewayTest("a removed executor is disconnected, and so is its bridge", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using machine = await dialIn(gateway, executor);
  await using harness = await openBridge(gateway, executor.exe_id);
  await greet(harness, machine);
  const removed = await gateway.call("DELETE", `/api/codex-exec/executors/${executor.exe_id}`);
  assert.equal(removed.status, 204);
  assert.deepEqual(await machine.closed, { code: 1008, reason: "executor removed" });
  assert.deepEqual(await harness.closed, { code: 1008, reason: "executor removed" });
  const token = await gateway.capToken(executor.exe_id);
  const started = performance.now();
  const refused = await handshake(`${gateway.wsUrl}/bridge/${executor.exe_id}?token=${token}`);
  assert.equal(refused.status, 503);
  // Had it been waited for, that would have taken these 8 s at the least.
  assert.ok(performance.now() - started < 8_000, "it is not waited for");
});

switchboardTest(
  "a harness that vanishes during its handshake frees the executor",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialIn(gateway, executor);
    for (let i = 0; i < 20; i++) {
      const token = await gateway.capToken(executor.exe_id);
      const tcp = await Deno.connect({ hostname: "127.0.0.1", port: gateway.port });
      await tcp.write(new TextEncoder().encode(
        `GET /bridge/${executor.exe_id}?token=${token} HTTP/1.1\r\nHost: x\r\n` +
          "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      ));
      tcp.close();
    }
    // The lock of one that got no event at all is freed by the gateway's own limit of ten seconds.
    let harness;
    for (const started = performance.now(); harness === undefined;) {
      harness = await openBridge(gateway, executor.exe_id).catch(() => undefined);
      assert.ok(performance.now() - started < 15_000, "the executor is still held");
    }
    await using joined = harness;
    await greet(joined, machine);
  },
);

gatewayTest("a bridge waits for an executor that is on its way back", async (gateway) => {
  const executor = await gateway.createExecutor();
  const first = await dialIn(gateway, executor);
  first.close();
  await untilGone(gateway, executor.exe_id);
  const waiting = openBridge(gateway, executor.exe_id);
  assert.equal(await settled(waiting, 300), false, "the bridge waits");
  await using machine = await dialIn(gateway, executor);
  await using harness = await waiting;
  await greet(harness, machine);
});

gatewayTest(
  "of two bridges that wait, one gets the executor and the other 409",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    const first = await dialIn(gateway, executor);
    first.close();
    await untilGone(gateway, executor.exe_id);
    const url = `${gateway.wsUrl}/bridge/${executor.exe_id}`;
    const tokens = await Promise.all([1, 2].map(() => gateway.capToken(executor.exe_id)));
    const waiting = Promise.allSettled(tokens.map((token) => connect(`${url}?token=${token}`)));
    assert.equal(await settled(waiting, 200), false);
    await using _machine = await dialIn(gateway, executor);
    const outcomes = await waiting;
    assert.deepEqual(outcomes.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    for (const outcome of outcomes) {
      if (outcome.status === "fulfilled") await outcome.value[Symbol.asyncDispose]();
    }
  },
);

gatewayTest(
  "a bridge to an executor that does not come back is refused after eight seconds",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    const machine = await dialIn(gateway, executor);
    machine.close();
    await untilGone(gateway, executor.exe_id);
    const token = await gateway.capToken(executor.exe_id);
    const started = performance.now();
    const refused = await handshake(`${gateway.wsUrl}/bridge/${executor.exe_id}?token=${token}`);
    const waitedMs = performance.now() - started;
    assert.equal(refused.status, 503);
    assert.ok(waitedMs >= 7_500, `it waited ${waitedMs} ms`);
  },
);

forEachDatabase("a new gateway waits for the executors of the one before", async (database) => {
  let executor, stranger;
  {
    await using before = await startGateway(database);
    executor = await before.createExecutor();
    stranger = await before.createExecutor();
    await dialIn(before, executor);
  }
  await using after = await startGateway(database);
  const url = `${after.wsUrl}/bridge/${stranger.exe_id}`;
  const refused = await handshake(`${url}?token=${await after.capToken(stranger.exe_id)}`);
  assert.equal(refused.status, 503, "one that was never connected is refused at once");
  const waiting = openBridge(after, executor.exe_id);
  assert.equal(await settled(waiting, 300), false, "the bridge waits");
  await using machine = await dialIn(after, executor);
  await using harness = await waiting;
  await greet(harness, machine);
});

gatewayTest(
  "ten text turns in a row on an executor that dials again after each",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    for (let turn = 0; turn < 10; turn++) {
      await using machine = await dialIn(gateway, executor);
      await using harness = await openBridge(gateway, executor.exe_id);
      harness.send(`{"turn":${turn}}`);
      assert.equal(await machine.next(), `{"turn":${turn}}`);
      machine.send("{}");
      assert.equal(await harness.next(), "{}");
      harness.close();
      await machine.closed;
    }
    await untilGone(gateway, executor.exe_id);
    await using _machine = await dialIn(gateway, executor);
    await untilConnected(gateway, executor.exe_id);
  },
);
