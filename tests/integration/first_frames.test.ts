/**
 * The first frame of a harness: it claims a stream, or the bridge ends with a reason.
 *
 * @module
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { type CreatedExecutor, switchboardTest, type TestGateway } from "../support/gateway.ts";
import {
  claim,
  dialInAsNoise,
  dialInAsRelay,
  FIELDS,
  frame,
  openNoiseBridge,
  openRelayBridge,
  parseFrame,
  resetReason,
  varint,
  withField1,
} from "../support/relay.ts";
import type { Peer } from "../support/websocket.ts";

/** The kinds of executors whose harnesses claim streams. */
const KINDS = {
  relay: { dialIn: dialInAsRelay, open: openRelayBridge },
  noise: { dialIn: dialInAsNoise, open: openNoiseBridge },
};

const INVALID = { code: 1002, reason: "first frame is no valid Resume or Handshake" };
const CLAIMS_NOTHING = {
  code: 1002,
  reason: "first frame is neither a Resume nor a Handshake, and claims no stream",
};

switchboardTest(
  "a stream that begins with a Handshake is claimed by it, as by a Resume",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialInAsNoise(gateway, executor);
    await using harness = await openNoiseBridge(gateway, executor.exe_id);
    await shakeHands(harness, machine, "stream-1");
    // A second stream of the same bridge, and one of the old kind beside them.
    await shakeHands(harness, machine, "stream-2");
    await claim(harness, machine, "stream-3");
    for (const id of ["stream-1", "stream-2", "stream-3"]) await assertUp(harness, machine, id);

    await using other = await openNoiseBridge(gateway, executor.exe_id);
    other.send(frame("stream-1", "handshake", withField1(new Uint8Array(1200))));
    assert.equal(resetReason(parseFrame(await other.next())), "stream id in use");
    assert.deepEqual(await other.closed, { code: 1008, reason: "stream id in use" });
    await assertUp(harness, machine, "stream-1");
    harness.close();
    const reset = [1, 2, 3].map(async () => parseFrame(await machine.next()).streamId);
    assert.deepEqual((await Promise.all(reset)).sort(), ["stream-1", "stream-2", "stream-3"]);
  },
);

switchboardTest(
  "handshakes that claim their streams are counted as failed like any other",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialInAsNoise(gateway, executor);
    await using harness = await openNoiseBridge(gateway, executor.exe_id, { turn_id: "turn_bad" });
    const ids = Array.from({ length: 8 }, (_, i) => `bad-${i}`);
    for (const id of ids) harness.send(frame(id, "handshake", withField1(new Uint8Array(1200))));
    for (const id of ids.slice(0, 2)) {
      assert.deepEqual([parseFrame(await machine.next())].map(({ streamId }) => streamId), [id]);
    }
    for (const id of ids.slice(0, 2)) machine.send(frame(id, "reset", new Uint8Array([0x0a, 0])));
    const { code, reason } = await harness.closed;
    assert.deepEqual([code, reason], [1008, "too many failed handshakes of this turn"]);
  },
);

switchboardTest("filled acks change nothing, however large", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using machine = await dialInAsNoise(gateway, executor);
  await using harness = await openNoiseBridge(gateway, executor.exe_id);
  const acks = [[0, 0], [1, 0xffff_ffff], [0x7f, 0x80], [0xffff_ffff, 0xffff_ffff]] as const;
  let stream = 0;
  for (const [ack, ackBits] of acks) {
    const id = `stream-${stream++}`;
    for (const body of ["handshake", "data", "ack", "heartbeat"] as const) {
      const sent = withAcks(frame(id, body, withField1(new Uint8Array(randomBytes(300)))), id, {
        ack,
        ackBits,
      });
      harness.send(sent);
      assert.deepEqual(await machine.next(), sent, `${body} with ${ack}, ${ackBits}`);
      machine.send(sent);
      assert.deepEqual(await harness.next(), sent, `${body} with ${ack}, ${ackBits}`);
    }
  }
});

for (const [kind, { dialIn, open }] of Object.entries(KINDS)) {
  switchboardTest(
    `a ${kind} harness whose first frame claims nothing is told so and closed`,
    async (gateway) => {
      const { machine, executor } = await machineOf(gateway, dialIn);
      await using _machine = machine;
      await using witness = await open(gateway, executor.exe_id);
      await claim(witness, machine, "stream-witness");
      for (const body of ["data", "ack", "heartbeat", "reset"] as const) {
        await using harness = await open(gateway, executor.exe_id);
        harness.send(frame("stream-1", body, withField1(new Uint8Array(8))));
        assert.deepEqual(await harness.closed, CLAIMS_NOTHING, body);
      }
      const invalid = [
        new Uint8Array(),
        new Uint8Array([0xff]),
        new Uint8Array(64).fill(0x80),
        frame("stream-1", "resume", new Uint8Array(), 2),
        frame("", "resume"),
        frame("x".repeat(129), "handshake"),
        frame("stream-1", "resume").subarray(0, 8),
      ];
      for (const bytes of invalid) {
        await using harness = await open(gateway, executor.exe_id);
        harness.send(bytes);
        assert.deepEqual(await harness.closed, INVALID, `${bytes}`);
      }
      // The executor was told of none of them.
      await assertUp(witness, machine, "stream-witness");
      const drops = (reason: string) =>
        gateway.metric(`cxg_dropped_frames_total{reason="${reason}"}`);
      assert.equal(await drops("unclaimed_stream"), 4);
    },
  );

  switchboardTest(
    `what comes after a ${kind} harness's first claim is dropped, and closes nothing`,
    async (gateway) => {
      const { machine, executor } = await machineOf(gateway, dialIn);
      await using _machine = machine;
      await using harness = await open(gateway, executor.exe_id);
      await claim(harness, machine, "stream-1");
      harness.send(frame("stream-1", "reset", withField1(new Uint8Array([0x78]))));
      assert.equal(parseFrame(await machine.next()).body, "reset");
      // It holds none now, and has begun all the same.
      harness.send(frame("stream-1", "data"));
      harness.send(new Uint8Array([0xff]));
      harness.send("text");
      await claim(harness, machine, "stream-2");
      await assertUp(harness, machine, "stream-2");
    },
  );
}

switchboardTest(
  "a Handshake first, to an executor that speaks no Noise, is refused with what is needed",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialInAsRelay(gateway, executor);
    await using harness = await openRelayBridge(gateway, executor.exe_id);
    harness.send(frame("stream-1", "handshake", withField1(new Uint8Array(1200))));
    const { code, reason } = await harness.closed;
    assert.equal(code, 1002);
    assert.match(reason, /speaks no Noise.*0\.131 to 0\.140/);
    assert.equal(machine.pending, 0);
  },
);

async function machineOf(
  gateway: TestGateway,
  dialIn: (gateway: TestGateway, executor: CreatedExecutor) => Promise<Peer>,
) {
  const executor = await gateway.createExecutor();
  return { executor, machine: await dialIn(gateway, executor) };
}

/** Begins a stream with a Handshake, which the executor answers. */
async function shakeHands(harness: Peer, machine: Peer, streamId: string): Promise<void> {
  const first = frame(streamId, "handshake", withField1(new Uint8Array(randomBytes(1200))));
  harness.send(first);
  assert.deepEqual(await machine.next(), first);
  machine.send(first);
  assert.deepEqual(await harness.next(), first);
}

async function assertUp(harness: Peer, machine: Peer, streamId: string): Promise<void> {
  const up = frame(streamId, "data", new Uint8Array(randomBytes(10)));
  harness.send(up);
  assert.deepEqual(await machine.next(), up);
  machine.send(up);
  assert.deepEqual(await harness.next(), up);
}

/** The frame with its fields 3 and 4 filled, where the next codex writes them: before the body. */
function withAcks(
  bytes: Uint8Array,
  streamId: string,
  { ack, ackBits }: { ack: number; ackBits: number },
): Uint8Array<ArrayBuffer> {
  const head = 2 + 2 + streamId.length;
  assert.equal(bytes[head]! >> 3 >= FIELDS.data, true, "the body begins there");
  return new Uint8Array([
    ...bytes.subarray(0, head),
    ...[3 << 3, ...varint(ack), 4 << 3, ...varint(ackBits)],
    ...bytes.subarray(head),
  ]);
}
