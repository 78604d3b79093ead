import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { databases } from "../support/databases.ts";
import { untilConnected } from "../support/exclusive.ts";
import { startGateway } from "../support/gateway.ts";
import { frame, openRelayBridge, register } from "../support/relay.ts";
import type { Peer } from "../support/websocket.ts";

const BRIDGES = 32;
const MESSAGES = 1000;
const MAX_BYTES = 2 ** 20;
/**
 * How many messages of a bridge are under way at once. A codex harness asks and waits for the answer; and
 * what all 32 have under way has to fit into what the gateway keeps for their one executor
 * (CXG_MAX_BUFFERED, 16 MiB): it cannot make them wait, only close an executor that falls behind.
 */
const WINDOW = 2;

Deno.test("32 bridges on one relay executor, 1,000 messages of 1 B to 1 MiB each, come back right", async () => {
  const database = await databases[0]!.create();
  try {
    await using gateway = await startGateway(database.options);
    const executor = await gateway.createExecutor();
    await using _machine = await echoExecutor((await register(gateway, executor)).url);
    await untilConnected(gateway, executor.exe_id);
    const totals = await Promise.all(Array.from({ length: BRIDGES }, async (_, i) => {
      await using harness = await openRelayBridge(gateway, executor.exe_id);
      return await converse(harness, i);
    }));
    assert.deepEqual(totals.map(({ messages }) => messages), Array(BRIDGES).fill(MESSAGES));
    const megabytes = totals.reduce((sum, { bytes }) => sum + bytes, 0) / MAX_BYTES;
    // deno-lint-ignore no-console
    console.log(`${BRIDGES * MESSAGES} messages, ${megabytes.toFixed(0)} MiB each way`);
  } finally {
    await database.dispose();
  }
});

/** Sends the messages on a stream of its own and checks that each comes back, in order. */
async function converse(harness: Peer, bridge: number) {
  const streamId = `stream-${bridge}`;
  harness.send(frame(streamId, "resume"));
  await harness.next();
  // Different for each bridge, so that a frame that went astray is noticed.
  const noise = randomBytes(2 * MAX_BYTES);
  const sent: Uint8Array<ArrayBuffer>[] = [];
  let messages = 0;
  let bytes = 0;
  for (let i = 0; i < MESSAGES + WINDOW; i++) {
    if (i < MESSAGES) {
      const size = sizeOf(i, bridge);
      const start = Math.floor(Math.random() * MAX_BYTES);
      const message = frame(streamId, "data", noise.subarray(start, start + size));
      sent.push(message);
      harness.send(message);
      bytes += size;
    }
    if (i >= WINDOW) {
      const back = await harness.next(60_000);
      assert.ok(typeof back !== "string");
      assert.ok(Buffer.from(back.buffer).equals(sent.shift()!), `message ${messages}`);
      messages++;
    }
  }
  assert.equal(harness.pending, 0);
  return { messages, bytes };
}

/**
 * From 1 B to 1 MiB, both ends included, the small ones more often. The bridges' largest come one after
 * the other: at once they would be twice what may wait for the executor.
 */
function sizeOf(i: number, bridge: number): number {
  if (i === 0) return 1;
  if (i === 1 + bridge) return MAX_BYTES;
  return Math.floor(MAX_BYTES ** (Math.random() ** 2));
}

/** A relay executor that sends back each frame as it came. */
async function echoExecutor(url: string): Promise<AsyncDisposable> {
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => socket.send(data);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => socket.onclose = resolve);
      socket.close();
      await closed;
    },
  };
}
