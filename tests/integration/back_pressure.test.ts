/**
 * A peer that reads slowly slows who sends to it, and loses nothing.
 *
 * @module
 */
import assert from "node:assert/strict";
import { dialIn, greet, openBridge, untilConnected } from "../support/exclusive.ts";
import { type GatewayClient, switchboardTest } from "../support/gateway.ts";
import { untilHeld } from "../support/held.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { claim, dialInAsRelay, frame, openRelayBridge, parseFrame } from "../support/relay.ts";
import { connect, type Peer, settled, until } from "../support/websocket.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** What is sent to the slow one: far more than the gateway and the kernel's buffers hold. */
const MESSAGES = 512;
const MESSAGE_BYTES = 128 * KIB;

/** More of them than the kernel and the gateway hold. */
const FEW = 160;

/** What may wait in the gateway for one peer, and a frame or two on top. */
const WAITING_AT_MOST = 2 * MIB;

/** A message that says which it is. */
function message(n: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(MESSAGE_BYTES).fill(n & 0xff);
  new DataView(bytes.buffer).setUint32(0, n);
  return bytes;
}

/** Sends them all; what the kernel does not take waits at the sender. */
function sendAll(peer: Peer, wrap: (payload: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>) {
  for (let n = 0; n < MESSAGES; n++) peer.send(wrap(message(n)));
}

switchboardTest(
  "a harness that does not read holds its executor, and gets all of it later",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await connect(
      `${gateway.wsUrl}/codex-exec/${executor.exe_id}?token=${executor.registration_token}`,
    );
    await untilConnected(gateway, executor.exe_id);
    const token = await gateway.capToken(executor.exe_id);
    using slow = await RawSocket.open(gateway.port, `/bridge/${executor.exe_id}`, token);
    slow.stopReading();
    await until("the bridge is up", async () => await gateway.metric("cxg_bridges") === 1);
    sendAll(machine, (payload) => payload);
    await untilHeld(gateway, "executor");
    assert.ok(await gateway.metric("cxg_buffered_bytes") <= WAITING_AT_MOST);
    // The other way is open: what the one who does not read sends goes to the one who is held.
    slow.sendMessage(new TextEncoder().encode("the other way"));
    assert.equal(new TextDecoder().decode(await machine.next() as Uint8Array), "the other way");

    slow.resumeReading();
    for (let n = 0; n < MESSAGES; n++) {
      const { payload } = await slow.readFrame();
      assert.equal(payload.length, MESSAGE_BYTES);
      assert.equal(new DataView(payload.buffer, payload.byteOffset).getUint32(0), n);
    }
    await until(
      "nobody is held",
      async () => await gateway.metric('cxg_held{side="executor"}') === 0,
    );
    assert.equal(await gateway.metric("cxg_buffered_bytes"), 0);
    assert.ok(await gateway.metric('cxg_held_seconds_total{side="executor"}') > 0);
    slow.sendMessage(new TextEncoder().encode("still there"));
    assert.equal(new TextDecoder().decode(await machine.next() as Uint8Array), "still there");
  },
);

switchboardTest(
  "many that do not read share what may wait in the process, and get all of it later",
  async (gateway) => {
    assert.equal(await gateway.metric("cxg_buffered_bytes_max"), MIB);
    await using neighbour = await dialInToEcho(gateway);
    using slow = new DisposableStack();
    await using machines = new AsyncDisposableStack();
    const harnesses: RawSocket[] = [];
    for (let n = 0; n < 4; n++) {
      const executor = await gateway.createExecutor();
      const machine = machines.use(await dialIn(gateway, executor));
      const path = `/bridge/${executor.exe_id}`;
      const token = await gateway.capToken(executor.exe_id);
      const harness = slow.use(await RawSocket.open(gateway.port, path, token));
      harness.stopReading();
      harnesses.push(harness);
      await until("it is up", async () => await gateway.metric("cxg_bridges") === n + 2);
      for (let sent = 0; sent < FEW; sent++) machine.send(message(sent));
    }
    await until(
      "all of them are held",
      async () => await gateway.metric('cxg_held{side="executor"}') === 4,
      30_000,
    );
    await until("no more than may wait does", async () => {
      const waiting = await gateway.metric("cxg_buffered_bytes");
      // Each is held when it has its part, and a frame or two may be on their way then.
      return waiting > MIB / 2 && waiting <= MIB + 4 * 2 * MESSAGE_BYTES;
    });
    // One for whom little waits is held by nobody's.
    for (let n = 0; n < 50; n++) await neighbour.echo(message(n).slice(0, 30 * KIB));

    for (const harness of harnesses) {
      harness.resumeReading();
      for (let n = 0; n < FEW; n++) {
        const { payload } = await harness.readFrame();
        assert.equal(new DataView(payload.buffer, payload.byteOffset).getUint32(0), n);
      }
    }
    await until(
      "nobody is held",
      async () => await gateway.metric('cxg_held{side="executor"}') === 0,
    );
    assert.equal(await gateway.metric("cxg_buffered_bytes"), 0);
  },
  { maxTotalBufferedBytes: MIB },
);

switchboardTest(
  "an executor that does not read holds its harness, and gets all of it later",
  async (gateway) => {
    const { exe_id, registration_token } = await gateway.createExecutor();
    using slow = await RawSocket.open(gateway.port, `/codex-exec/${exe_id}`, registration_token);
    await untilConnected(gateway, exe_id);
    await using harness = await openBridge(gateway, exe_id);
    await until("the bridge is up", async () => await gateway.metric("cxg_bridges") === 1);
    slow.stopReading();
    sendAll(harness, (payload) => payload);
    await untilHeld(gateway, "harness");
    assert.ok(await gateway.metric("cxg_buffered_bytes") <= WAITING_AT_MOST);
    slow.resumeReading();
    for (let n = 0; n < MESSAGES; n++) {
      const { payload } = await slow.readFrame();
      assert.equal(new DataView(payload.buffer, payload.byteOffset).getUint32(0), n);
    }
    await until(
      "nobody is held",
      async () => await gateway.metric('cxg_held{side="harness"}') === 0,
    );
  },
);

switchboardTest(
  "a peer that is held is not taken for dead, however often it would be pinged",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await connect(
      `${gateway.wsUrl}/codex-exec/${executor.exe_id}?token=${executor.registration_token}`,
    );
    await untilConnected(gateway, executor.exe_id);
    const token = await gateway.capToken(executor.exe_id);
    using slow = await RawSocket.open(gateway.port, `/bridge/${executor.exe_id}`, token);
    await until("the bridge is up", async () => await gateway.metric("cxg_bridges") === 1);
    slow.stopReading();
    sendAll(machine, (payload) => payload);
    await untilHeld(gateway, "executor");
    // Four ping intervals, in which it takes a little now and then.
    const end = performance.now() + 4_000;
    let n = 0;
    while (performance.now() < end) {
      slow.resumeReading();
      const { payload } = await slow.readFrame();
      assert.equal(new DataView(payload.buffer, payload.byteOffset).getUint32(0), n++);
      slow.stopReading();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.equal(await settled(machine.closed, 0), false);
    slow.resumeReading();
    for (; n < MESSAGES; n++) await slow.readFrame();
    slow.sendMessage(new TextEncoder().encode("there"));
    assert.equal(new TextDecoder().decode(await machine.next() as Uint8Array), "there");
  },
  { pingIntervalS: 1 },
);

switchboardTest(
  "one who takes nothing for too long is closed, and its sender goes on",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialInAsRelay(gateway, executor);
    const token = await gateway.capToken(executor.exe_id);
    using stuck = await RawSocket.open(gateway.port, `/bridge/${executor.exe_id}`, token);
    stuck.sendMessage(frame("stream-stuck", "resume"));
    await machine.next();
    stuck.stopReading();
    sendAll(machine, (payload) => frame("stream-stuck", "data", payload));
    const reset = parseFrame(await machine.next(30_000));
    assert.deepEqual([reset.streamId, reset.body], ["stream-stuck", "reset"]);
    await using other = await openRelayBridge(gateway, executor.exe_id);
    other.send(frame("stream-other", "resume"));
    // Frames for the one before were on their way yet, and are answered with a Reset now and then.
    for (let streamId = ""; streamId !== "stream-other";) {
      ({ streamId } = parseFrame(await machine.next(30_000)));
    }
    machine.send(frame("stream-other", "data", new Uint8Array([1])));
    assert.equal(parseFrame(await other.next(30_000)).streamId, "stream-other");
    stuck.resumeReading();
    assert.deepEqual(await stuck.readClose(), { code: 1013, reason: "reading too slowly" });
  },
  { stuckMs: 1_000 },
);

switchboardTest(
  "one who takes a large frame slowly is not taken for one who takes nothing",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialIn(gateway, executor);
    const token = await gateway.capToken(executor.exe_id);
    using slow = await RawSocket.open(gateway.port, `/bridge/${executor.exe_id}`, token);
    slow.stopReading();
    await until("the bridge is up", async () => await gateway.metric("cxg_bridges") === 1);
    const large = 24 * MIB;
    machine.send(new Uint8Array(large));
    // Many times as long as one may take nothing, and as one may be silent: the runtime says all the while
    // that the whole frame waits.
    await until(
      "its sender was held for long",
      async () => await gateway.metric('cxg_held_seconds_total{side="executor"}') > 4,
    );
    assert.equal(await gateway.metric("cxg_buffered_bytes"), large);
    assert.equal(await gateway.metric("cxg_bridges"), 1);
    slow.resumeReading();
    // Pings come behind it, and before it.
    let got = await slow.readFrame();
    while (got.opcode !== 2) got = await slow.readFrame();
    assert.equal(got.payload.length, large);
    slow.sendMessage(new TextEncoder().encode("got it"));
    assert.equal(new TextDecoder().decode(await machine.next() as Uint8Array), "got it");
  },
  { stuckMs: 500, pingIntervalS: 1 },
);

switchboardTest(
  "a harness goes while its executor is held for it: the executor serves the next",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await connect(
      `${gateway.wsUrl}/codex-exec/${executor.exe_id}?token=${executor.registration_token}`,
    );
    await untilConnected(gateway, executor.exe_id);
    {
      const token = await gateway.capToken(executor.exe_id);
      using slow = await RawSocket.open(gateway.port, `/bridge/${executor.exe_id}`, token);
      await until("the bridge is up", async () => await gateway.metric("cxg_bridges") === 1);
      slow.stopReading();
      sendAll(machine, (payload) => payload);
      await untilHeld(gateway, "executor");
    }
    await until(
      "its bridge is over",
      async () => await gateway.metric("cxg_bridges") === 0,
      60_000,
    );
    await until("all that was for it is dropped", () => machine.buffered === 0, 60_000);
    await using next = await openBridge(gateway, executor.exe_id);
    await greet(next, machine);
  },
);

switchboardTest(
  "what a harness has sent before it goes, while it is held, gets there before its bridge ends",
  async (gateway) => {
    const { exe_id, registration_token } = await gateway.createExecutor();
    using slow = await RawSocket.open(gateway.port, `/codex-exec/${exe_id}`, registration_token);
    await untilConnected(gateway, exe_id);
    await using harness = await openBridge(gateway, exe_id);
    await until("the bridge is up", async () => await gateway.metric("cxg_bridges") === 1);
    slow.stopReading();
    for (let n = 0; n < FEW; n++) harness.send(message(n));
    harness.close();
    await untilHeld(gateway, "harness");
    // Its good-bye is behind what the kernels hold: who reads no further cannot know of it.
    assert.equal(await gateway.metric("cxg_bridges"), 1);
    slow.resumeReading();
    for (let n = 0; n < FEW; n++) {
      const { payload } = await slow.readFrame();
      assert.equal(new DataView(payload.buffer, payload.byteOffset).getUint32(0), n);
    }
    await until("its bridge is over", async () => await gateway.metric("cxg_bridges") === 0);
  },
);

switchboardTest(
  "what others send to an executor in the very moment it is held is not lost",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialInAsRelay(gateway, executor);
    const token = await gateway.capToken(executor.exe_id);
    using slow = await RawSocket.open(gateway.port, `/bridge/${executor.exe_id}`, token);
    slow.sendMessage(frame("stream-slow", "resume"));
    assert.equal(parseFrame(await machine.next()).streamId, "stream-slow");
    const others: Peer[] = [];
    await using stack = new AsyncDisposableStack();
    for (let n = 0; n < 8; n++) {
      const harness = stack.use(await openRelayBridge(gateway, executor.exe_id));
      await claim(harness, machine, `stream-${n}`);
      others.push(harness);
    }
    // It is held and let go again and again, while the others send what is counted.
    let reads = true;
    const reading = (async () => {
      while (reads) await slow.readFrame();
    })().catch(() => {});
    const rounds = 400;
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < 4; i++) {
        machine.send(frame("stream-slow", "data", new Uint8Array(256 * KIB)));
      }
      others.forEach((harness, n) =>
        harness.send(frame(`stream-${n}`, "data", new Uint8Array([round >> 8, round & 255])))
      );
      await new Promise((resolve) => setTimeout(resolve));
    }
    const got = Array(others.length).fill(0);
    while (got.some((count) => count < rounds)) {
      const { streamId, payload } = parseFrame(await machine.next(30_000));
      const n = Number(streamId.slice("stream-".length));
      const [high, low] = payload.slice(-2);
      assert.equal(high! << 8 | low!, got[n]++, streamId);
    }
    reads = false;
    slow[Symbol.dispose]();
    await reading;
    assert.ok(
      await gateway.metric('cxg_held_seconds_total{side="executor"}') > 0,
      "it was never held",
    );
  },
  // Else so much may wait for a slow one beside others that it would seldom happen.
  { maxBufferedBytes: 2 * MIB },
);

/** A bridge of a neighbour, whose messages come back. */
async function dialInToEcho(gateway: GatewayClient) {
  const executor = await gateway.createExecutor();
  const machine = await dialIn(gateway, executor);
  const harness = await openBridge(gateway, executor.exe_id);
  return {
    async echo(sent: Uint8Array<ArrayBuffer>): Promise<void> {
      harness.send(sent);
      machine.send(await machine.next() as Uint8Array<ArrayBuffer>);
      assert.deepEqual(await harness.next(), sent);
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await harness[Symbol.asyncDispose]();
      await machine[Symbol.asyncDispose]();
    },
  };
}
