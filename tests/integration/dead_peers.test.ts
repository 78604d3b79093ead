import assert from "node:assert/strict";
import { dialIn, greet, openBridge, untilConnected, untilGone } from "../support/exclusive.ts";
import { gatewayTest } from "../support/gateway.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { connect, settled } from "../support/websocket.ts";

const PINGED_EVERY_SECOND = { pingIntervalS: 1 };

gatewayTest(
  "an executor that answers no ping is gone after two intervals, its bridge ended",
  async (gateway) => {
    const { exe_id, registration_token } = await gateway.createExecutor();
    using _silent = await RawSocket.open(
      gateway.port,
      `/codex-exec/${exe_id}`,
      registration_token,
    );
    await untilConnected(gateway, exe_id);
    await using harness = await openBridge(gateway, exe_id);
    const started = performance.now();
    assert.deepEqual(await harness.closed, { code: 1001, reason: "executor disconnected" });
    const tookMs = performance.now() - started;
    assert.ok(tookMs > 500 && tookMs < 4_000, `it took ${tookMs} ms`);
    await untilGone(gateway, exe_id);
  },
  PINGED_EVERY_SECOND,
);

gatewayTest(
  "a harness that answers no ping frees its executor after two intervals",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialIn(gateway, executor);
    using _silent = await RawSocket.open(
      gateway.port,
      `/bridge/${executor.exe_id}`,
      await gateway.capToken(executor.exe_id),
    );
    let harness;
    for (const started = performance.now(); harness === undefined;) {
      harness = await openBridge(gateway, executor.exe_id).catch(() => undefined);
      assert.ok(performance.now() - started < 6_000, "the executor is still held");
    }
    await using joined = harness;
    await greet(joined, machine);
  },
  PINGED_EVERY_SECOND,
);

gatewayTest("peers that answer stay, however quiet they are", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using machine = await dialIn(gateway, executor);
  const token = await gateway.capToken(executor.exe_id);
  await using harness = await connect(
    `${gateway.wsUrl}/bridge/${executor.exe_id}?token=${token}`,
  );
  assert.equal(await settled(Promise.race([machine.closed, harness.closed]), 5_000), false);
  await greet(harness, machine);
}, PINGED_EVERY_SECOND);
