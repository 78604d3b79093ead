import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { untilGone } from "../support/exclusive.ts";
import { CapturedLogs } from "../support/logs.ts";
import { switchboardTest } from "../support/gateway.ts";
import {
  askToConnect,
  claim,
  dialInAsNoise,
  dialInAsRelay,
  frame,
  openNoiseBridge,
  openRelayBridge,
  parseFrame,
  resetReason,
} from "../support/relay.ts";
import { connect, handshake, type Peer, until } from "../support/websocket.ts";

const DISCONNECTED = "executor disconnected";

switchboardTest("many bridges share one executor, each with its own streams", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using machine = await dialInAsRelay(gateway, executor);
  await using a = await openRelayBridge(gateway, executor.exe_id);
  await using b = await openRelayBridge(gateway, executor.exe_id);
  await claim(a, machine, "stream-a");
  await claim(b, machine, "stream-b1");
  await claim(b, machine, "stream-b2");
  // Unknown fields and every known body go on as the bytes that came.
  const bodies = ["data", "ack", "heartbeat", "handshake", "resume"] as const;
  for (const body of bodies) {
    const toMachine = frame("stream-a", body, new Uint8Array(randomBytes(1000)));
    a.send(toMachine);
    assert.deepEqual(await machine.next(), toMachine);
    for (
      const [harness, streamId] of [[a, "stream-a"], [b, "stream-b1"], [b, "stream-b2"]] as const
    ) {
      const toHarness = frame(streamId, body, new Uint8Array(randomBytes(1000)));
      machine.send(toHarness);
      assert.deepEqual(await harness.next(), toHarness);
    }
  }
  assert.deepEqual([a.pending, b.pending, machine.pending], [0, 0, 0]);
});

switchboardTest(
  "a stream that another live bridge holds is refused to the newcomer",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialInAsRelay(gateway, executor);
    await using holder = await openRelayBridge(gateway, executor.exe_id);
    await using newcomer = await openRelayBridge(gateway, executor.exe_id);
    await claim(holder, machine, "stream-1");
    newcomer.send(frame("stream-1", "resume"));
    const refusal = parseFrame(await newcomer.next());
    assert.equal(refusal.streamId, "stream-1");
    assert.equal(resetReason(refusal), "stream id in use");
    assert.deepEqual(await newcomer.closed, { code: 1008, reason: "stream id in use" });
    await assertUp(holder, machine, "stream-1");
  },
);

switchboardTest("a bridge may use only what it has claimed", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using machine = await dialInAsRelay(gateway, executor);
  await using a = await openRelayBridge(gateway, executor.exe_id);
  await using b = await openRelayBridge(gateway, executor.exe_id);
  await claim(a, machine, "stream-a");
  await claim(b, machine, "stream-b");
  b.send(frame("stream-a", "data", new Uint8Array([1])));
  b.send(frame("stream-a", "reset", new Uint8Array([0x0a, 1, 0x78])));
  b.send(frame("stream-never", "data", new Uint8Array([1])));
  await assertUp(b, machine, "stream-b");
  await assertUp(a, machine, "stream-a");
});

switchboardTest(
  "what cannot be routed is dropped and counted, and the other streams do not notice",
  async (gateway) => {
    using logs = new CapturedLogs();
    const executor = await gateway.createExecutor();
    await using machine = await dialInAsRelay(gateway, executor);
    await using harness = await openRelayBridge(gateway, executor.exe_id);
    await using other = await openRelayBridge(gateway, executor.exe_id);
    await claim(harness, machine, "stream-1");
    await claim(other, machine, "stream-2");
    const id128 = "x".repeat(128);
    await claim(other, machine, id128);
    const bad = [
      "a text frame",
      new Uint8Array([0xff]),
      new Uint8Array(randomBytes(64)).fill(0x80),
      new Uint8Array(0),
      frame("stream-1", "data", new Uint8Array([1]), 2),
      frame("stream-1", "data", new Uint8Array([1]), 0),
      frame("", "resume"),
      frame(" stream-1", "resume"),
      frame("stream-1 ", "resume"),
      frame("x".repeat(129), "resume"),
      frame("stream-1", "data").subarray(0, 8),
    ];
    for (const peer of [harness, machine]) {
      for (const message of bad) peer.send(message as string);
    }
    await assertUp(harness, machine, "stream-1");
    await assertUp(other, machine, "stream-2");
    await assertUp(other, machine, id128);
    machine.close();
    await until("the executor's end is logged", () => logs.fieldsOf(DISCONNECTED) !== undefined);
    assert.deepEqual(logs.fieldsOf(DISCONNECTED)!.dropped_frames, {
      text_frame: 2,
      malformed: 2 * 3,
      bad_version: 2 * 3,
      bad_stream_id: 2 * 4,
    });
  },
);

switchboardTest(
  "a frame for a stream that nobody holds is answered with a Reset",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialInAsRelay(gateway, executor);
    machine.send(frame("stream-ghost", "data", new Uint8Array([1])));
    const reset = parseFrame(await machine.next());
    assert.equal(reset.streamId, "stream-ghost");
    assert.equal(resetReason(reset), "no bridge holds this stream");
    // Its own Reset needs none: two sides that answer each other would never stop.
    machine.send(frame("stream-ghost", "reset", new Uint8Array([0x0a, 1, 0x78])));
    machine.send(frame("stream-after", "data", new Uint8Array([1])));
    assert.equal(parseFrame(await machine.next()).streamId, "stream-after");
  },
);

switchboardTest(
  "an executor that goes on sending on a stream that is over is not told so with each frame",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialInAsRelay(gateway, executor);
    const started = performance.now();
    for (let i = 0; i < 900; i++) {
      machine.send(frame("stream-ghost", "data", new Uint8Array([1])));
    }
    machine.send(frame("stream-last", "data", new Uint8Array([1])));
    let told = 0;
    while (parseFrame(await machine.next()).streamId === "stream-ghost") told++;
    const most = 1 + (performance.now() - started) / 100;
    assert.ok(told >= 1 && told <= most, `it was told ${told} times`);
    await new Promise((resolve) => setTimeout(resolve, 150));
    machine.send(frame("stream-last", "data", new Uint8Array([1])));
    assert.equal(parseFrame(await machine.next()).streamId, "stream-last");
    assert.equal(await gateway.metric('cxg_dropped_frames_total{reason="unknown_stream"}'), 902);
  },
);

switchboardTest(
  "the end of a bridge resets the streams it held, but not those already reset",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialInAsRelay(gateway, executor);
    await using other = await openRelayBridge(gateway, executor.exe_id);
    await claim(other, machine, "stream-other");
    const harness = await openRelayBridge(gateway, executor.exe_id);
    for (const id of ["stream-1", "stream-2", "stream-3", "stream-4"]) {
      await claim(harness, machine, id);
    }
    const reset = new Uint8Array([0x0a, 4, ...new TextEncoder().encode("done")]);
    harness.send(frame("stream-1", "reset", reset));
    assert.equal(resetReason(parseFrame(await machine.next())), "done");
    machine.send(frame("stream-2", "reset", reset));
    assert.equal(resetReason(parseFrame(await harness.next())), "done");
    harness.close();
    const ended = [parseFrame(await machine.next()), parseFrame(await machine.next())];
    assert.deepEqual(ended.map(({ streamId }) => streamId).sort(), ["stream-3", "stream-4"]);
    assert.deepEqual(ended.map(resetReason), ["bridge closed", "bridge closed"]);
    await assertUp(other, machine, "stream-other");
    // The ids are free again.
    await using successor = await openRelayBridge(gateway, executor.exe_id);
    await claim(successor, machine, "stream-1");
    await claim(successor, machine, "stream-3");
  },
);

switchboardTest("the end of an executor ends all its bridges", async (gateway) => {
  const executor = await gateway.createExecutor();
  const machine = await dialInAsRelay(gateway, executor);
  await using a = await openRelayBridge(gateway, executor.exe_id);
  await using b = await openRelayBridge(gateway, executor.exe_id);
  await claim(a, machine, "stream-a");
  const last = frame("stream-a", "data", new Uint8Array(randomBytes(3_000_000)));
  machine.send(last);
  machine.close();
  assert.deepEqual(await a.next(), last);
  for (const harness of [a, b]) {
    assert.deepEqual(await harness.closed, { code: 1001, reason: "executor disconnected" });
  }
  await untilGone(gateway, executor.exe_id);
});

switchboardTest("an executor holds no more streams than it may", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using machine = await dialInAsRelay(gateway, executor);
  await using first = await openRelayBridge(gateway, executor.exe_id);
  await using second = await openRelayBridge(gateway, executor.exe_id);
  await claim(first, machine, "stream-1");
  await claim(first, machine, "stream-2");
  await claim(second, machine, "stream-3");
  await using third = await openRelayBridge(gateway, executor.exe_id);
  third.send(frame("stream-4", "resume"));
  assert.equal(
    resetReason(parseFrame(await third.next())),
    "too many streams on this executor",
  );
  assert.equal((await third.closed).code, 1013);
  second.close();
  assert.equal(parseFrame(await machine.next()).body, "reset");
  await using fourth = await openRelayBridge(gateway, executor.exe_id);
  await claim(fourth, machine, "stream-4");
}, { maxStreams: 3 });

switchboardTest("a turn holds no more than half of an executor's streams", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using machine = await dialInAsRelay(gateway, executor);
  const greedy = { turn_id: "turn_greedy" };
  await using first = await openRelayBridge(gateway, executor.exe_id, greedy);
  for (let i = 0; i < 63; i++) await claim(first, machine, `greedy-${i}`);
  await using second = await openRelayBridge(gateway, executor.exe_id, greedy);
  await claim(second, machine, "greedy-63");
  second.send(frame("greedy-64", "resume"));
  const reason = "this turn holds half of the executor's streams";
  assert.equal(resetReason(parseFrame(await second.next())), reason);
  assert.deepEqual(await second.closed, { code: 1008, reason });
  assert.equal(parseFrame(await machine.next()).body, "reset");
  // What its other bridge holds goes on, and a turn besides has the other half.
  await using other = await openRelayBridge(gateway, executor.exe_id);
  for (let i = 0; i < 64; i++) await claim(other, machine, `other-${i}`);
  first.send(frame("greedy-0", "data"));
  assert.equal(parseFrame(await machine.next()).streamId, "greedy-0");
});

for (const kind of ["relay", "noise"] as const) {
  switchboardTest(
    `a turn has no more than eight bridges to an executor (${kind})`,
    async (gateway) => {
      const executor = await gateway.createExecutor();
      const { exe_id } = executor;
      const [dial, open] = kind === "relay"
        ? [dialInAsRelay, openRelayBridge]
        : [dialInAsNoise, openNoiseBridge];
      await using _machine = await dial(gateway, executor);
      const turn = { turn_id: "turn_greedy" };
      await using bridges = new AsyncDisposableStack();
      const last = bridges.use(await open(gateway, exe_id, turn));
      for (let i = 1; i < 8; i++) bridges.use(await open(gateway, exe_id, turn));
      const refusal = /has 8 bridges to executor .*; end codex processes of the turn/;
      const token = await gateway.capToken(exe_id, turn);
      if (kind === "noise") {
        const response = await askToConnect(gateway, exe_id, turn);
        assert.equal(response.status, 429);
        assert.match((await response.json()).error.message, refusal);
      } else {
        const refused = await handshake(
          `${gateway.wsUrl}/bridge/${exe_id}?role=harness&token=${token}`,
        );
        assert.equal(refused.status, 429);
        assert.match(refused.body, refusal);
      }
      await using _other = await open(gateway, exe_id);
      last.close();
      await until("it has seven", async () => await gateway.metric("cxg_bridges") === 8);
      await using _again = await open(gateway, exe_id, turn);
    },
  );
}

switchboardTest(
  "a harness that does not fit the executor is told which one does",
  async (gateway) => {
    const relay = await gateway.createExecutor();
    await using _machine = await dialInAsRelay(gateway, relay);
    const token = await gateway.capToken(relay.exe_id);
    await using text = await connect(`${gateway.wsUrl}/bridge/${relay.exe_id}?token=${token}`);
    text.send('{"jsonrpc":"2.0","id":1,"method":"initialize"}');
    const closed = await text.closed;
    assert.equal(closed.code, 1003);
    assert.match(closed.reason, /0\.131 to 0\.140.*role=harness/);

    const exclusive = await gateway.createExecutor();
    const response = await fetch(`${gateway.url}/cloud/executor/${exclusive.exe_id}/register`, {
      method: "POST",
      headers: { authorization: `Bearer ${exclusive.registration_token}` },
      body: JSON.stringify({ idempotency_id: "x" }),
    });
    await using _old = await connect((await response.json()).url);
    const cap = await gateway.capToken(exclusive.exe_id);
    const refused = await handshake(
      `${gateway.wsUrl}/bridge/${exclusive.exe_id}?token=${cap}&role=harness`,
    );
    assert.equal(refused.status, 400);
    assert.match(refused.body, /0\.130/);
  },
);

/** Shows that a stream works, and that nothing else had come on it: the next frames are these. */
async function assertUp(harness: Peer, machine: Peer, streamId: string): Promise<void> {
  const up = frame(streamId, "data", new Uint8Array(randomBytes(10)));
  harness.send(up);
  assert.deepEqual(await machine.next(), up);
  const down = frame(streamId, "data", new Uint8Array(randomBytes(10)));
  machine.send(down);
  assert.deepEqual(await harness.next(), down);
}
