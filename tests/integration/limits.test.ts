import assert from "node:assert/strict";
import { dialIn, greet, openBridge, untilConnected, untilGone } from "../support/exclusive.ts";
import { switchboardTest } from "../support/gateway.ts";
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
import { connect, handshake, settled, until } from "../support/websocket.ts";

const KIB = 1024;
const SMALL = { maxBufferedBytes: 256 * KIB, maxFrameBytes: 1024 * KIB, stuckMs: 1_000 };
/** More than the kernel holds for a peer that does not read, and the gateway's own limit. */
const MANY = 200;

switchboardTest("a frame over the limit closes who sent it with 1009", async (gateway) => {
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

switchboardTest(
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
      // Frames that were already on their way may be answered with a Reset.
      const next = parseFrame(await machine.next());
      return next.streamId === "stream-other";
    });
  },
  SMALL,
);

switchboardTest("an executor that does not read is closed, and may dial again", async (gateway) => {
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

switchboardTest(
  "an executor that sends to streams of nobody and does not read the answers is closed",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    const { exe_id } = executor;
    const ticket = new URL((await register(gateway, executor)).url).searchParams.get("token")!;
    using stuck = await RawSocket.open(gateway.port, `/codex-exec/${exe_id}`, ticket);
    await untilConnected(gateway, exe_id);
    await using harness = await openRelayBridge(gateway, exe_id);
    harness.send(frame("stream-up", "resume"));
    await until("its stream is up", async () => await gateway.metric("cxg_streams") === 1);
    stuck.stopReading();
    const isConnected = async () => await gateway.metric('cxg_executors{kind="relay"}') === 1;
    for (let sent = 0; sent < 400_000 && await isConnected(); sent += 500) {
      // One that belongs somewhere, or the others would be a thousand in a row.
      stuck.sendMessage(frame("stream-up", "heartbeat"));
      for (let n = sent; n < sent + 500; n++) {
        stuck.sendMessage(frame(`stream-${n}`.padEnd(128, "-"), "data", new Uint8Array(1)));
      }
    }
    assert.equal(await isConnected(), false);
    stuck.resumeReading();
    assert.deepEqual(await stuck.readClose(), { code: 1013, reason: "reading too slowly" });
  },
  SMALL,
);

switchboardTest("a relay frame over the limit closes who sent it with 1009", async (gateway) => {
  const executor = await gateway.createExecutor();
  const { exe_id } = executor;
  await using machine = await dialInAsRelay(gateway, executor);
  const over = new Uint8Array(1024 * KIB);
  {
    await using harness = await openRelayBridge(gateway, exe_id);
    await claim(harness, machine, "stream-1");
    harness.send(frame("stream-1", "data", over));
    assert.ok(await settled(harness.closed, 5_000), "it was let through");
    assert.deepEqual(await harness.closed, { code: 1009, reason: "frame too large" });
    assert.equal(resetReason(parseFrame(await machine.next())), "frame too large");
  }
  await using harness = await openRelayBridge(gateway, exe_id);
  await claim(harness, machine, "stream-2");
  machine.send(frame("stream-2", "data", over));
  assert.ok(await settled(machine.closed, 5_000), "it was let through");
  assert.deepEqual(await machine.closed, { code: 1009, reason: "frame too large" });
  assert.equal((await harness.closed).code, 1009);

  // Whether or not it is for a bridge, or a frame at all.
  await using again = await dialInAsRelay(gateway, executor);
  again.send(new Uint8Array(1024 * KIB + 1));
  assert.ok(await settled(again.closed, 5_000), "it was dropped");
  assert.deepEqual(await again.closed, { code: 1009, reason: "frame too large" });
}, SMALL);

switchboardTest(
  "a turn whose harnesses stop reading again and again opens no more bridges until they read",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    const { exe_id } = executor;
    await using machine = await dialInAsRelay(gateway, executor);
    const token = await gateway.capToken(exe_id);
    const url = `${gateway.wsUrl}/bridge/${exe_id}?role=harness&token=`;
    using stuck = new DisposableStack();
    const deaf: RawSocket[] = [];
    for (let n = 0; n < 4; n++) {
      assert.equal((await handshake(url + token)).status, 101, `after ${n}`);
      const harness = stuck.use(await RawSocket.open(gateway.port, `/bridge/${exe_id}`, token));
      deaf.push(harness);
      harness.sendMessage(frame(`stream-${n}`, "resume"));
      // Frames of the stream before may have come when its bridge was over, and were answered so.
      for (let it = parseFrame(await machine.next()); it.body !== "resume";) {
        assert.equal(it.streamId, `stream-${n - 1}`);
        it = parseFrame(await machine.next());
      }
      harness.stopReading();
      for (let sent = 0; sent < MANY && machine.pending === 0; sent++) {
        machine.send(frame(`stream-${n}`, "data", new Uint8Array(256 * KIB)));
        await until("it has left", () => machine.buffered === 0);
      }
      assert.equal(resetReason(parseFrame(await machine.next())), "reading too slowly");
    }
    assert.equal(await gateway.metric("cxg_left_behind"), 4);
    const refused = await handshake(url + token);
    assert.equal(refused.status, 429);
    assert.match(refused.body, /too many connections of this turn have stopped reading/);
    assert.equal((await handshake(url + await gateway.capToken(exe_id))).status, 101);

    // One that only hangs up has proved nothing: it may have stopped sending, and read as little as before.
    deaf[1]![Symbol.dispose]();
    await until("its bytes have gone nowhere", () => deaf[1]!.closed);
    assert.equal(await settled(machine.closed, 200), false);
    assert.equal((await handshake(url + token)).status, 429);
    deaf[0]!.resumeReading();
    assert.equal((await deaf[0]!.readClose()).code, 1013);
    await until("it is let in", async () => (await handshake(url + token)).status === 101);
  },
  SMALL,
);

switchboardTest(
  "an executor whose connections stop reading again and again is refused until they read",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    const { exe_id, registration_token } = executor;
    using stuck = new DisposableStack();
    const deaf: RawSocket[] = [];
    for (let n = 0; n < 4; n++) {
      const machine = stuck.use(
        await RawSocket.open(gateway.port, `/codex-exec/${exe_id}`, registration_token),
      );
      deaf.push(machine);
      await untilConnected(gateway, exe_id);
      await using harness = await openBridge(gateway, exe_id);
      machine.stopReading();
      for (let sent = 0; sent < MANY && !await settled(harness.closed, 5); sent++) {
        harness.send(new Uint8Array(768 * KIB));
        await until("it has left", () => harness.buffered === 0);
      }
      assert.equal((await harness.closed).reason, "the executor reads too slowly");
    }
    const url = `${gateway.wsUrl}/codex-exec/${exe_id}?token=`;
    const refused = await handshake(url + registration_token);
    assert.equal(refused.status, 503);
    assert.equal(refused.headers["retry-after"], "30");
    assert.equal((await handshake(`${url}wrong`)).status, 401);

    deaf[0]!.resumeReading();
    assert.equal((await deaf[0]!.readClose()).code, 1013);
    await until(
      "it is let in",
      async () => (await handshake(url + registration_token)).status === 101,
    );
  },
  SMALL,
);
