/**
 * Peers that nothing moves to any more, or only slowly: the runtime's pings wait behind what is sent to
 * them, so that the gateway itself has to tell the dead from the slow.
 *
 * @module
 */
import assert from "node:assert/strict";
import { databases } from "../support/databases.ts";
import { openBridge, untilConnected } from "../support/exclusive.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { claim, dialInAsRelay, frame, parseFrame, resetReason } from "../support/relay.ts";
import { settled } from "../support/websocket.ts";

const KIB = 1024;
/** Messages of 64 KiB: more than the kernel holds for a peer that does not read, and less than may wait. */
const IN_FLIGHT = 150;

test(
  "a harness that takes nothing of what is sent to it is gone, and its streams are reset",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    const { exe_id } = executor;
    await using machine = await dialInAsRelay(gateway, executor);
    using stuck = await RawSocket.open(
      gateway.port,
      `/bridge/${exe_id}`,
      await gateway.capToken(exe_id),
    );
    await claim({ send: (it) => stuck.sendMessage(it as Uint8Array) }, machine, "stream-1");
    stuck.stopReading();
    for (let i = 0; i < IN_FLIGHT; i++) {
      machine.send(frame("stream-1", "data", new Uint8Array(64 * KIB)));
    }
    const reset = parseFrame(await machine.next());
    assert.deepEqual([reset.streamId, resetReason(reset)], ["stream-1", "bridge closed"]);
    assert.equal(await gateway.metric("cxg_bridges"), 0);
  },
);

test(
  "a peer that reads, though more slowly than is sent to it, stays",
  async (gateway) => {
    const { exe_id, registration_token } = await gateway.createExecutor();
    using slow = await Deno.connect({ hostname: "127.0.0.1", port: gateway.port });
    await slow.write(upgradeRequest(`/codex-exec/${exe_id}?token=${registration_token}`));
    await untilConnected(gateway, exe_id);
    await using harness = await openBridge(gateway, exe_id);
    const bytes = new Uint8Array(64 * KIB);
    for (let i = 0; i < IN_FLIGHT / 2; i++) harness.send(bytes);
    let least = Infinity;
    // What waits grows all the time: that it reads shows only beside what was sent.
    for (let tick = 0; tick < 26; tick++) {
      // No ping gets through to it in time, so it says by itself that it is there.
      await slow.write(PONG);
      for (let i = 0; i < 24; i++) harness.send(bytes);
      for (let read = 0; read < 6 * bytes.length;) read += (await slow.read(bytes))!;
      if (tick > 5) least = Math.min(least, await gateway.metric("cxg_buffered_bytes"));
      assert.equal(await settled(harness.closed, 100), false, `closed in tick ${tick}`);
    }
    assert.ok(least > 0, "it was never behind");
  },
);

test("a peer that does not read but sends stays, while what waits for it is not too much", async (gateway) => {
  const { exe_id, registration_token } = await gateway.createExecutor();
  using busy = await RawSocket.open(gateway.port, `/codex-exec/${exe_id}`, registration_token);
  await untilConnected(gateway, exe_id);
  await using harness = await openBridge(gateway, exe_id);
  busy.stopReading();
  for (let i = 0; i < IN_FLIGHT; i++) harness.send(new Uint8Array(64 * KIB));
  for (let tick = 0; tick < 10; tick++) {
    busy.sendMessage(new Uint8Array([tick]));
    assert.deepEqual(await harness.next(), new Uint8Array([tick]));
    assert.equal(await settled(harness.closed, 400), false);
  }
  assert.ok(await gateway.metric("cxg_buffered_bytes") > 0);
});

test(
  "a peer that answered no ping is gone even if its close frame cannot be sent",
  async (gateway) => {
    const { exe_id, registration_token } = await gateway.createExecutor();
    using silent = await RawSocket.open(gateway.port, `/codex-exec/${exe_id}`, registration_token);
    await untilConnected(gateway, exe_id);
    await using harness = await openBridge(gateway, exe_id);
    // It was pinged: what comes now fills the way before the runtime gives it up.
    assert.equal((await silent.readFrame()).opcode, 0x9);
    silent.stopReading();
    for (let i = 0; i < IN_FLIGHT; i++) harness.send(new Uint8Array(64 * KIB));
    assert.ok(await settled(harness.closed, 60_000), "its bridge is still up");
    assert.deepEqual(await gateway.connected(), []);
  },
);

/** An empty pong of a client. */
const PONG = new Uint8Array([0x8a, 0x80, 0, 0, 0, 0]);

function upgradeRequest(path: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(
    `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
}

/** Registers a test of a gateway that pings every second. */
function test(name: string, run: (gateway: TestGateway) => Promise<void>): void {
  Deno.test(name, async () => {
    const database = await databases[0]!.create();
    try {
      await using gateway = await startGateway(database.options, {
        pingIntervalS: 1,
        maxBufferedBytes: 64 * KIB * KIB,
      });
      await run(gateway);
    } finally {
      await database.dispose();
    }
  });
}
