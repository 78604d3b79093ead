import assert from "node:assert/strict";
import { dialIn, greet, openBridge, untilConnected, untilGone } from "../support/exclusive.ts";
import { gatewayTest } from "../support/gateway.ts";
import { RawSocket } from "../support/raw_socket.ts";
import {
  claim,
  dialInAsRelay,
  frame,
  openRelayBridge,
  parseFrame,
  register,
  resetReason,
} from "../support/relay.ts";
import { connect, settled, until } from "../support/websocket.ts";

const KIB = 1024;
const SMALL = { maxBufferedBytes: 256 * KIB, maxFrameBytes: 1024 * KIB };
/** More than the kernel holds for a peer that does not read, and the gateway's own limit. */
const MANY = 200;

gatewayTest("a frame over the limit closes who sent it with 1009", async (gateway) => {
  const executor = await gateway.createExecutor();
  const { exe_id } = executor;
  {
    await using machine = await dialIn(gateway, executor);
    await using harness = await openBridge(gateway, exe_id);
    const most = new Uint8Array(1024 * KIB);
    harness.send(most);
    assert.equal((await machine.next()).length, most.length);
    harness.send(new Uint8Array(1024 * KIB + 1));
    assert.deepEqual(await harness.closed, { code: 1009, reason: "frame too large" });
    assert.equal(machine.pending, 0);
  }
  await untilGone(gateway, exe_id);
  await using machine = await dialIn(gateway, executor);
  await using harness = await openBridge(gateway, exe_id);
  await greet(harness, machine);
  // Three bytes of UTF-8 for each of its units: it is the wire that counts.
  machine.send("漢".repeat(350 * KIB));
  assert.deepEqual(await machine.closed, { code: 1009, reason: "frame too large" });
  assert.equal((await harness.closed).code, 1009);
}, SMALL);

gatewayTest(
  "a harness that does not read loses its bridge, and the others do not notice",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    const { exe_id } = executor;
    await using machine = await dialInAsRelay(gateway, executor);
    await using other = await openRelayBridge(gateway, exe_id);
    await claim(other, machine, "stream-other");
    using stuck = await RawSocket.open(
      gateway.port,
      `/bridge/${exe_id}`,
      await gateway.capToken(exe_id),
    );
    stuck.sendMessage(frame("stream-stuck", "resume"));
    assert.equal(parseFrame(await machine.next()).streamId, "stream-stuck");
    stuck.stopReading();
    for (let i = 0; i < MANY; i++) {
      machine.send(frame("stream-stuck", "data", new Uint8Array(256 * KIB)));
    }
    const reset = parseFrame(await machine.next(30_000));
    assert.deepEqual([reset.streamId, resetReason(reset)], ["stream-stuck", "reading too slowly"]);
    await until("the other bridge works", async () => {
      other.send(frame("stream-other", "data"));
      // Frames that were already on their way are each answered with a Reset.
      const next = parseFrame(await machine.next());
      return next.streamId === "stream-other";
    });
  },
  SMALL,
);

gatewayTest("an executor that does not read is closed, and may dial again", async (gateway) => {
  const executor = await gateway.createExecutor();
  const { exe_id } = executor;
  const { url } = await register(gateway, executor);
  const ticket = new URL(url).searchParams.get("token")!;
  using stuck = await RawSocket.open(gateway.port, `/codex-exec/${exe_id}`, ticket);
  await untilConnected(gateway, exe_id);
  await using harness = await openRelayBridge(gateway, exe_id);
  harness.send(frame("stream-1", "resume"));
  await stuck.readFrame();
  stuck.stopReading();
  // One after another: a peer that is in the middle of sending may lose the close frame to a reset.
  for (let i = 0; i < MANY && !await settled(harness.closed, 5); i++) {
    harness.send(frame("stream-1", "data", new Uint8Array(256 * KIB)));
    await until("it has left", () => harness.buffered === 0);
  }
  assert.deepEqual(await harness.closed, { code: 1013, reason: "the executor reads too slowly" });
  await untilGone(gateway, exe_id);
  await using machine = await connect(url);
  await untilConnected(gateway, exe_id);
  await using again = await openRelayBridge(gateway, exe_id);
  await claim(again, machine, "stream-1");
}, SMALL);
