import assert from "node:assert/strict";
import { dialIn, greet, openBridge, untilConnected, untilGone } from "../support/exclusive.ts";
import { switchboardTest } from "../support/gateway.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { connect, type Peer, settled, until } from "../support/websocket.ts";

const PINGED_EVERY_SECOND = { pingIntervalS: 1 };

/** After so long, in milliseconds, what has not happened never will. */
const HANGS_MS = 60_000;

const KIB = 1024;
/** More than the kernel holds for a peer that does not read, and less than may wait for it. */
const IN_FLIGHT = 150;

switchboardTest(
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
    assert.ok(await settled(harness.closed, HANGS_MS), "its bridge is still up");
    assert.deepEqual(await harness.closed, { code: 1001, reason: "executor disconnected" });
    const tookMs = performance.now() - started;
    assert.ok(tookMs > 500, `it took ${tookMs} ms only`);
    await untilGone(gateway, exe_id);
  },
  PINGED_EVERY_SECOND,
);

switchboardTest(
  "a harness that answers no ping frees its executor after two intervals",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialIn(gateway, executor);
    using _silent = await RawSocket.open(
      gateway.port,
      `/bridge/${executor.exe_id}`,
      await gateway.capToken(executor.exe_id),
    );
    let harness: Peer | undefined;
    await until("the executor is free", async () => {
      harness = await openBridge(gateway, executor.exe_id).catch(() => undefined);
      return harness !== undefined;
    }, HANGS_MS);
    await using joined = harness!;
    await greet(joined, machine);
  },
  PINGED_EVERY_SECOND,
);

switchboardTest("peers that answer stay, however quiet they are", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using machine = await dialIn(gateway, executor);
  const token = await gateway.capToken(executor.exe_id);
  await using harness = await connect(
    `${gateway.wsUrl}/bridge/${executor.exe_id}?token=${token}`,
  );
  assert.equal(await settled(Promise.race([machine.closed, harness.closed]), 5_000), false);
  await greet(harness, machine);
}, PINGED_EVERY_SECOND);

switchboardTest(
  "an executor that takes nothing of what is sent to it is gone after two intervals",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    const { exe_id, registration_token } = executor;
    using stuck = await RawSocket.open(gateway.port, `/codex-exec/${exe_id}`, registration_token);
    await untilConnected(gateway, exe_id);
    await using harness = await openBridge(gateway, exe_id);
    stuck.stopReading();
    for (let i = 0; i < IN_FLIGHT; i++) harness.send(new Uint8Array(64 * KIB));
    const started = performance.now();
    assert.ok(await settled(harness.closed, HANGS_MS), "its bridge is still up");
    const tookMs = performance.now() - started;
    assert.deepEqual(await harness.closed, { code: 1001, reason: "executor disconnected" });
    assert.ok(tookMs > 1_500, `it took ${tookMs} ms only`);
    assert.deepEqual(await gateway.connected(), []);
    assert.equal(await gateway.metric("cxg_left_behind"), 1);
    assert.ok(await gateway.metric("cxg_buffered_bytes") > 0);

    // When it lives after all, it reads why it was closed, and does not disturb its successor.
    await using machine = await dialIn(gateway, executor);
    stuck.resumeReading();
    assert.deepEqual(await stuck.readClose(), { code: 1001, reason: "no answer" });
    await until("it is let go", async () => await gateway.metric("cxg_left_behind") === 0);
    assert.equal(await gateway.metric("cxg_buffered_bytes"), 0);
    await using next = await openBridge(gateway, exe_id);
    await greet(next, machine);
  },
  PINGED_EVERY_SECOND,
);
