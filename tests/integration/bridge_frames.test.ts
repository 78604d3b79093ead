import assert from "node:assert/strict";
import { loadConfigFromEnv } from "../../src/config.ts";
import { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import { dialIn, greet, openBridge, untilConnected } from "../support/exclusive.ts";
import { SECRETS, switchboardTest } from "../support/gateway.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { type Message, type Peer, until } from "../support/websocket.ts";

const MIB = 1024 * 1024;

switchboardTest(
  "frames pass whole, byte for byte and in order, text as text and binary as binary",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialIn(gateway, executor);
    await using harness = await openBridge(gateway, executor.exe_id);
    const frames: Message[] = [
      "",
      new Uint8Array(0),
      "a",
      "\u0000 and \uFEFF a byte order mark, é, 漢字, 😀",
      "\uFEFF at the start",
      new Uint8Array(randomBytes(125)),
      new Uint8Array(randomBytes(126)),
      new Uint8Array(randomBytes(65_535)),
      new Uint8Array(randomBytes(65_536)),
      "x".repeat(65_536),
      "é".repeat(MIB),
      new Uint8Array(randomBytes(5 * MIB)),
    ];
    for (const [from, to] of [[harness, machine], [machine, harness]] as const) {
      for (const frame of frames) from.send(frame);
      for (const frame of frames) assertSame(await to.next(), frame);
    }
  },
);

switchboardTest("a thousand frames each way at once keep their order", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using machine = await dialIn(gateway, executor);
  await using harness = await openBridge(gateway, executor.exe_id);
  await greet(harness, machine);
  const count = 1000;
  for (let i = 0; i < count; i++) {
    harness.send(`h${i}`);
    machine.send(`m${i}`);
  }
  for (let i = 0; i < count; i++) {
    assert.equal(await machine.next(), `h${i}`);
    assert.equal(await harness.next(), `m${i}`);
  }
});

/** `CXG_MAX_FRAME` when nothing is said, in bytes. */
const LARGEST =
  loadConfigFromEnv((name) => /_SECRET$/.test(name) ? name.padEnd(40, "s") : undefined)
    .maxFrameBytes;

switchboardTest(
  "the largest frame, two bytes under 64 MiB, passes both ways, and one byte more is 1009",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialIn(gateway, executor);
    await using harness = await openBridge(gateway, executor.exe_id);
    const large = new Uint8Array(randomBytes(LARGEST));
    harness.send(large);
    assertSame(await machine.next(30_000), large);
    machine.send(large);
    assertSame(await harness.next(30_000), large);
    harness.send(new Uint8Array(LARGEST + 1));
    assert.deepEqual(await harness.closed, { code: 1009, reason: "frame too large" });
  },
);

switchboardTest("a message in fragments passes whole up to the same size", async (gateway) => {
  const { exe_id, registration_token } = await gateway.createExecutor();
  const fragment = new Uint8Array(randomBytes(16 * MIB));
  using machine = await RawSocket.open(gateway.port, `/codex-exec/${exe_id}`, registration_token);
  await untilConnected(gateway, exe_id);
  const token = await gateway.capToken(exe_id);
  using harness = await RawSocket.open(gateway.port, `/bridge/${exe_id}`, token);
  const last = fragment.subarray(0, LARGEST - 3 * fragment.length);
  for (let i = 0; i < 3; i++) harness.sendFragment(fragment, i === 0, false);
  harness.sendFragment(last, false, true);
  const { opcode, payload } = await machine.readFrame();
  assert.equal(opcode, 0x2);
  assertSame(payload, new Uint8Array(Buffer.concat([fragment, fragment, fragment, last])));
});

switchboardTest(
  "a frame that no bridge holds is dropped, not given to the next bridge",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialIn(gateway, executor);
    machine.send("before any bridge");
    machine.send(new Uint8Array([1, 2, 3]));
    const dropped = /^cxg_dropped_frames_total\{reason="no_bridge"\} 2$/m;
    await until("the frames are dropped", async () => {
      const response = await gateway.call("GET", "/metrics", undefined, {
        "x-internal-secret": SECRETS.shared,
      });
      return dropped.test(await response.text());
    });
    await using harness = await openBridge(gateway, executor.exe_id);
    await greet(harness, machine);
    machine.send("for the bridge");
    assert.equal(await harness.next(), "for the bridge");
    assert.equal(harness.pending, 0);
  },
);

switchboardTest(
  "a binary bridge leaves the executor its socket, and its late frames reach nobody",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialIn(gateway, executor);
    {
      await using first: Peer = await openBridge(gateway, executor.exe_id);
      first.send(new Uint8Array([1]));
      assertSame(await machine.next(), new Uint8Array([1]));
      first.close();
      await first.closed;
    }
    machine.send(new Uint8Array([2]));
    await until("the late frame has left", () => machine.buffered === 0);
    await using second = await openBridge(gateway, executor.exe_id);
    second.send(new Uint8Array([3]));
    assertSame(await machine.next(), new Uint8Array([3]));
    machine.send(new Uint8Array([4]));
    assertSame(await second.next(), new Uint8Array([4]));
  },
);

function assertSame(actual: Message, expected: Message): void {
  assert.equal(typeof actual, typeof expected);
  assert.equal(actual.length, expected.length);
  // Digests: a deepEqual of megabytes takes longer than the transfer.
  assert.equal(digest(actual), digest(expected));
}

function digest(message: Message): string {
  return createHash("sha256").update(message).digest("hex");
}
