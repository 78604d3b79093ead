/**
 * Who sends nothing but frames that belong nowhere is closed, and reads why.
 *
 * @module
 */
import assert from "node:assert/strict";
import { dialIn, openBridge } from "../support/exclusive.ts";
import { switchboardTest } from "../support/gateway.ts";
import { claim, dialInAsRelay, frame, openRelayBridge } from "../support/relay.ts";
import { type Message, type Peer, until } from "../support/websocket.ts";

const NOTHING_OF_USE = { code: 1008, reason: "1,000 frames in a row that belong nowhere" };
const EXECUTOR_SENT_NOTHING = {
  code: 1001,
  reason: "the executor sent 1,000 frames in a row that belong nowhere",
};

const USELESS: Record<string, Message> = {
  "text": "",
  "what is no frame": new Uint8Array([0xff]),
  "a stream of nobody's": frame("stream-nobody", "data"),
};

for (const [what, message] of Object.entries(USELESS)) {
  switchboardTest(`a harness that sends ${what} a thousand times is closed`, async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialInAsRelay(gateway, executor);
    await using harness = await openRelayBridge(gateway, executor.exe_id);
    await claim(harness, machine, "stream-1");
    // One that belongs somewhere, and it begins anew.
    send(harness, message, 999);
    harness.send(frame("stream-1", "data"));
    assert.deepEqual(await machine.next(), frame("stream-1", "data"));
    send(harness, message, 999);
    harness.send(frame("stream-1", "data"));
    assert.deepEqual(await machine.next(), frame("stream-1", "data"));
    send(harness, message, 1_000);
    assert.deepEqual(await harness.closed, NOTHING_OF_USE);
  });

  switchboardTest(`so is an executor, with its harnesses: ${what}`, async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialInAsRelay(gateway, executor);
    await using harness = await openRelayBridge(gateway, executor.exe_id);
    await claim(harness, machine, "stream-1");
    send(machine, message, 1_000);
    assert.deepEqual(await machine.closed, NOTHING_OF_USE);
    assert.deepEqual(await harness.closed, EXECUTOR_SENT_NOTHING);
  });
}

switchboardTest(
  "what an executor sends late for a stream that is over is excused",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialInAsRelay(gateway, executor);
    await using harness = await openRelayBridge(gateway, executor.exe_id);
    await using other = await openRelayBridge(gateway, executor.exe_id);
    await claim(harness, machine, "stream-1");
    await claim(other, machine, "stream-2");
    harness.close();
    await machine.next();
    send(machine, frame("stream-1", "data"), 3_000);
    machine.send(frame("stream-2", "data"));
    assert.deepEqual(await other.next(), frame("stream-2", "data"));
  },
);

switchboardTest("an exclusive executor without a bridge is closed as well", async (gateway) => {
  const executor = await gateway.createExecutor();
  const machine = await dialIn(gateway, executor);
  send(machine, "", 1_000);
  assert.deepEqual(await machine.closed, NOTHING_OF_USE);

  // But not for what it sends after one.
  await using again = await dialIn(gateway, executor);
  const harness = await openBridge(gateway, executor.exe_id);
  harness.send(new Uint8Array([1]));
  await again.next();
  harness.close();
  await until("the bridge is over", async () => await gateway.metric("cxg_bridges") === 0);
  send(again, new Uint8Array([2]), 3_000);
  await using next = await openBridge(gateway, executor.exe_id);
  next.send(new Uint8Array([3]));
  assert.deepEqual(await again.next(), new Uint8Array([3]));
});

function send(peer: Peer, message: Message, times: number): void {
  for (let i = 0; i < times; i++) peer.send(message);
}
