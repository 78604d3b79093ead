/**
 * What the log and the metrics tell of executors and bridges: who ended them, why, and what had passed.
 *
 * @module
 */
import assert from "node:assert/strict";
import { dialIn, greet, openBridge, untilConnected, untilGone } from "../support/exclusive.ts";
import { switchboardTest, type TestGateway } from "../support/gateway.ts";
import { CapturedLogs } from "../support/logs.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { claim, dialInAsRelay, frame, openRelayBridge } from "../support/relay.ts";
import { type Peer, until } from "../support/websocket.ts";

async function bridgeEnded(logs: CapturedLogs): Promise<Record<string, unknown>> {
  await until("the bridge has ended", () => logs.fieldsOf("bridge ended") !== undefined);
  return logs.fieldsOf("bridge ended")!;
}

function revoke(gateway: TestGateway, turn_id: string): Promise<Response> {
  return gateway.call("POST", "/api/exec-gateway/revoke-turn", { turn_id });
}

switchboardTest("a bridge's end says who, why, how long and how much", async (gateway) => {
  using logs = new CapturedLogs();
  const executor = await gateway.createExecutor();
  await using machine = await dialIn(gateway, executor);
  await using harness = await openBridge(gateway, executor.exe_id, { turn_id: "turn_told" });
  await greet(harness, machine);
  machine.send(new Uint8Array(1000));
  await harness.next();
  harness.close(1000, "done");
  const { by, why, code, reason, ...rest } = await bridgeEnded(logs);
  assert.deepEqual({ by, why, code, reason }, {
    by: "harness",
    why: "closed",
    code: 1000,
    reason: "done",
  });
  assert.deepEqual(
    [rest.exe_id, rest.turn_id, rest.workspace_id, rest.remote],
    [executor.exe_id, "turn_told", "ws_test", "127.0.0.1"],
  );
  assert.deepEqual(
    [
      rest.frames_to_executor,
      rest.bytes_to_executor,
      rest.frames_to_harness,
      rest.bytes_to_harness,
    ],
    [1, 5, 1, 1000],
  );
  assert.ok(Number(rest.seconds) >= 0);
  // It carried text, so its executor is closed too.
  await untilGone(gateway, executor.exe_id);
  await until("the executor has left", () => logs.fieldsOf("executor disconnected") !== undefined);
  const left = logs.fieldsOf("executor disconnected")!;
  assert.deepEqual([left.by, left.why, left.code], ["gateway", "bridge_ended", 1000]);
  const ends = 'cxg_bridge_ends_total{kind="exclusive",by="harness",reason="closed"}';
  assert.equal(await gateway.metric(ends), 1);
  assert.equal(await gateway.metric('cxg_bridges_total{kind="exclusive"}'), 1);
  assert.equal(await gateway.metric('cxg_executor_connects_total{kind="exclusive"}'), 1);
  assert.equal(
    await gateway.metric(
      'cxg_executor_disconnects_total{kind="exclusive",by="gateway",reason="bridge_ended"}',
    ),
    1,
  );
  for (
    const histogram of [
      "cxg_bridge_seconds",
      "cxg_bridge_open_seconds",
      "cxg_executor_connection_seconds",
    ]
  ) {
    assert.equal(await gateway.metric(`${histogram}_count`), 1, histogram);
    assert.equal(await gateway.metric(`${histogram}_bucket{le="+Inf"}`), 1, histogram);
    assert.ok(await gateway.metric(`${histogram}_sum`) > 0, histogram);
  }
});

switchboardTest(
  "so does one whose harness was lost, whose executor went, whose turn was revoked",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    {
      using logs = new CapturedLogs();
      await using machine = await dialInAsRelay(gateway, executor);
      const harness = await openRelayBridge(gateway, executor.exe_id);
      await claim(harness, machine, "stream-1");
      machine.close(1000, "shutting down");
      assert.equal((await harness.closed).reason, "executor disconnected");
      const { by, why, code, reason } = await bridgeEnded(logs);
      assert.deepEqual([by, why, code, reason], ["executor", "closed", 1000, "shutting down"]);
    }
    await untilGone(gateway, executor.exe_id);
    await using machine = await dialInAsRelay(gateway, executor);
    {
      using logs = new CapturedLogs();
      await using harness = await openRelayBridge(gateway, executor.exe_id, {
        turn_id: "turn_gone",
      });
      await claim(harness, machine, "stream-2");
      await (await revoke(gateway, "turn_gone")).body?.cancel();
      const { by, why, code, reason } = await bridgeEnded(logs);
      assert.deepEqual([by, why, code, reason], [
        "gateway",
        "turn_revoked",
        1008,
        "the turn was revoked",
      ]);
    }
    {
      using logs = new CapturedLogs();
      const token = await gateway.capToken(executor.exe_id);
      const lost = await RawSocket.open(gateway.port, `/bridge/${executor.exe_id}`, token);
      lost.sendMessage(frame("stream-3", "resume"));
      await until("the bridge is up", async () => await gateway.metric("cxg_streams") === 1);
      lost[Symbol.dispose]();
      const { by, why } = await bridgeEnded(logs);
      assert.deepEqual([by, why], ["harness", "lost"]);
    }
  },
);

switchboardTest("in the log what ends bridges comes before their ends", async (gateway) => {
  const executor = await gateway.createExecutor();
  const ways: Record<string, (machine: Peer) => unknown> = {
    "executor disconnected": (machine) => machine.close(),
    "turn revoked": () => revoke(gateway, "turn_caused"),
    "workspace revoked": () =>
      gateway.call("POST", "/api/exec-gateway/revoke-workspace", { workspace_id: "ws_caused" }),
    "executor removed": () =>
      gateway.call("DELETE", `/api/codex-exec/executors/${executor.exe_id}`),
  };
  for (const [cause, act] of Object.entries(ways)) {
    await using machine = await dialInAsRelay(gateway, executor);
    await using harness = await openRelayBridge(gateway, executor.exe_id, {
      turn_id: cause === "turn revoked" ? "turn_caused" : "turn_other",
      workspace_id: cause === "workspace revoked" ? "ws_caused" : "ws_test",
    });
    await claim(harness, machine, `stream of ${cause}`);
    using logs = new CapturedLogs();
    const answer = await act(machine);
    if (answer instanceof Response) await answer.body?.cancel();
    await bridgeEnded(logs);
    machine.close();
    await untilGone(gateway, executor.exe_id);
    const said = logs.records.map(({ message }) => message.join(""));
    assert.ok(said.includes(cause), `${cause}: ${said}`);
    assert.ok(said.indexOf(cause) < said.indexOf("bridge ended"), `${cause}: ${said}`);
    if (cause !== "executor removed") continue;
    assert.ok(said.indexOf(cause) < said.indexOf("executor disconnected"), `${said}`);
  }
});

switchboardTest("how long somebody was held stands in the bridge's end", async (gateway) => {
  using logs = new CapturedLogs();
  const { exe_id, registration_token } = await gateway.createExecutor();
  using slow = await RawSocket.open(gateway.port, `/codex-exec/${exe_id}`, registration_token);
  await untilConnected(gateway, exe_id);
  await using harness = await openBridge(gateway, exe_id);
  slow.stopReading();
  for (let n = 0; n < 256; n++) harness.send(new Uint8Array(64 * 1024));
  await until("it is held", async () => await gateway.metric('cxg_held{side="harness"}') === 1);
  slow.resumeReading();
  for (let n = 0; n < 256; n++) await slow.readFrame();
  harness.close();
  const { harness_held_ms, executor_held_ms, frames_to_executor } = await bridgeEnded(logs);
  assert.ok(Number(harness_held_ms) > 0);
  assert.deepEqual([executor_held_ms, frames_to_executor], [0, 256]);
});
