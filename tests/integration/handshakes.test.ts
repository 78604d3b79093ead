import assert from "node:assert/strict";
import type { CapClaims } from "../../src/auth/capability_token.ts";
import { type GatewayClient, switchboardTest } from "../support/gateway.ts";
import {
  askToConnect,
  claim,
  dialInAsNoise,
  frame,
  openNoiseBridge,
  parseFrame,
  resetReason,
} from "../support/relay.ts";
import { type Peer, settled, until } from "../support/websocket.ts";

const REFUSED = new Uint8Array([0x0a, 3, 0x62, 0x61, 0x64]);
const TOO_MANY = "too many failed handshakes of this turn";

switchboardTest(
  "a turn whose handshakes fail is stopped before it costs the others the link",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    const { exe_id } = executor;
    await using machine = await dialInAsNoise(gateway, executor);
    const turn = { turn_id: "turn_bad" };
    for (let i = 0; i < 2; i++) await fail(gateway, exe_id, machine, turn);
    const refused = await askToConnect(gateway, exe_id, turn);
    assert.equal(refused.status, 429);
    assert.equal((await refused.json()).error.code, "too_many_failures");

    await using other = await openNoiseBridge(gateway, exe_id, { turn_id: "turn_good" });
    await handshakeOk(other, machine, "good");
  },
);

switchboardTest("bad handshakes sent all at once do not pass the limit either", async (gateway) => {
  const executor = await gateway.createExecutor();
  const { exe_id } = executor;
  await using machine = await dialInAsNoise(gateway, executor);
  const turn = { turn_id: "turn_burst" };
  await using harness = await openNoiseBridge(gateway, exe_id, turn);
  const ids = Array.from({ length: 12 }, (_, i) => `burst-${i}`);
  for (const id of ids) await claim(harness, machine, id);
  for (const id of ids) harness.send(frame(id, "handshake", new Uint8Array(100)));
  const reached: string[] = [];
  for (let i = 0; i < 2; i++) reached.push(parseFrame(await machine.next()).streamId);
  assert.deepEqual(reached, ids.slice(0, 2));
  for (const id of reached) machine.send(frame(id, "reset", REFUSED));
  assert.deepEqual(await harness.closed, { code: 1008, reason: TOO_MANY });
  // What follows are the Resets of the streams it still held, and no further handshake.
  const rest: string[] = [];
  await until("the streams are reset", async () => {
    rest.push(parseFrame(await machine.next()).body);
    return rest.length === 10;
  });
  assert.deepEqual(rest, Array(10).fill("reset"));
});

switchboardTest(
  "good handshakes of one turn all pass, however many come at once",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    const { exe_id } = executor;
    await using machine = await dialInAsNoise(gateway, executor);
    await using harness = await openNoiseBridge(gateway, exe_id, { turn_id: "turn_many" });
    const ids = Array.from({ length: 12 }, (_, i) => `many-${i}`);
    for (const id of ids) await claim(harness, machine, id);
    const large = new Uint8Array(100_000).fill(7);
    for (const id of ids) harness.send(frame(id, "handshake", large));
    for (const id of ids) {
      const { streamId, payload } = parseFrame(await machine.next());
      assert.equal(streamId, id);
      assert.deepEqual(payload, large);
      machine.send(frame(id, "handshake", new Uint8Array(100)));
      assert.equal(parseFrame(await harness.next()).streamId, id);
    }
  },
);

switchboardTest(
  "a harness that leaves after each bad handshake is counted all the same",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    const { exe_id } = executor;
    await using machine = await dialInAsNoise(gateway, executor);
    const turn = { turn_id: "turn_leaves" };
    for (let i = 0; i < 2; i++) {
      const harness = await openNoiseBridge(gateway, exe_id, turn);
      await claim(harness, machine, `left-${i}`);
      harness.send(frame(`left-${i}`, "handshake", new Uint8Array(100)));
      assert.equal(parseFrame(await machine.next()).body, "handshake");
      harness.close();
      assert.equal(parseFrame(await machine.next()).body, "reset");
      machine.send(frame(`left-${i}`, "reset", REFUSED));
    }
    await until("the turn is refused", async () => {
      const response = await askToConnect(gateway, exe_id, turn);
      await response.body?.cancel();
      return response.status === 429;
    });
  },
);

switchboardTest(
  "a handshake cancelled while it was validated gives its place back",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    const { exe_id } = executor;
    await using machine = await dialInAsNoise(gateway, executor);
    const turn = { turn_id: "turn_cancels" };
    for (let i = 0; i < 2; i++) {
      const harness = await openNoiseBridge(gateway, exe_id, turn);
      await claim(harness, machine, `cancelled-${i}`);
      harness.send(frame(`cancelled-${i}`, "handshake", new Uint8Array(100)));
      assert.equal(parseFrame(await machine.next()).body, "handshake");
      harness.close();
      assert.equal(parseFrame(await machine.next()).body, "reset");
    }
    await using harness = await openNoiseBridge(gateway, exe_id, turn);
    await claim(harness, machine, "patient");
    harness.send(frame("patient", "handshake", new Uint8Array(100)));
    const passed = machine.next(5_000);
    assert.equal(await settled(passed, 200), false, "two are under way: it waits");
    assert.equal(parseFrame(await passed).streamId, "patient");
  },
);

switchboardTest(
  "bad handshakes of two workspaces without end leave the executor to a third",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    const { exe_id } = executor;
    await using machine = await dialInAsNoise(gateway, executor);
    const bad = ["ws_bad_1", "ws_bad_2"];
    {
      // Each knows that it is not alone from the other's first.
      await using _both = await openNoiseBridge(gateway, exe_id, { workspace_id: bad[1]! });
      await handshakeOk(_both, machine, "good-of-the-second");
    }
    assert.equal(parseFrame(await machine.next()).body, "reset");
    for (const workspace_id of bad) {
      for (let i = 0; i < 3; i++) await fail(gateway, exe_id, machine, { workspace_id });
      const refused = await askToConnect(gateway, exe_id, { workspace_id });
      assert.equal(refused.status, 429);
      assert.match(
        (await refused.json()).error.message,
        /handshakes of this workspace have failed/,
      );
    }
    for (let i = 0; i < 10; i++) {
      await using good = await openNoiseBridge(gateway, exe_id, { workspace_id: "ws_good" });
      await handshakeOk(good, machine, `good-${i}`);
      good.close();
      assert.equal(parseFrame(await machine.next()).body, "reset");
    }
  },
);

switchboardTest(
  "seven failures keep the next handshake waiting until the first is long enough ago",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    const { exe_id } = executor;
    await using machine = await dialInAsNoise(gateway, executor);
    await using good = await openNoiseBridge(gateway, exe_id);
    await claim(good, machine, "good");
    await failAtOnce(7, gateway, exe_id, machine);
    good.send(frame("good", "handshake", new Uint8Array(100)));
    const passed = machine.next(10_000);
    assert.equal(await settled(passed, 200), false, "seven have failed: it waits");
    assert.deepEqual([parseFrame(await passed).streamId, machine.pending], ["good", 0]);
  },
  { handshakes: { windowMs: 3_000 } },
);

switchboardTest(
  "a handshake that has waited for too long is refused, and may come again",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    const { exe_id } = executor;
    await using machine = await dialInAsNoise(gateway, executor);
    await using good = await openNoiseBridge(gateway, exe_id);
    await claim(good, machine, "good");
    await failAtOnce(7, gateway, exe_id, machine);
    good.send(frame("good", "handshake", new Uint8Array(100)));
    const reason = "too many failed handshakes on this executor";
    assert.equal(resetReason(parseFrame(await good.next())), reason);
    assert.deepEqual(await good.closed, { code: 1013, reason });
  },
  { handshakes: { maxWaitMs: 100 } },
);

switchboardTest(
  "a stream's second handshake waits for the answer to its first",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    const { exe_id } = executor;
    await using machine = await dialInAsNoise(gateway, executor);
    await using harness = await openNoiseBridge(gateway, exe_id);
    await claim(harness, machine, "twice");
    for (let i = 0; i < 20; i++) harness.send(frame("twice", "handshake", new Uint8Array([i])));
    assert.equal(parseFrame(await machine.next()).body, "handshake");
    assert.equal(await settled(machine.next(1_000).catch(() => {}), 200), false);
    machine.send(frame("twice", "reset", REFUSED));
    assert.equal(resetReason(parseFrame(await harness.next())), "bad");
    assert.equal(machine.pending, 0);
  },
);

/** A handshake of each of many turns, refused one right after another. */
async function failAtOnce(
  count: number,
  gateway: GatewayClient,
  exeId: string,
  machine: Peer,
): Promise<void> {
  await using stack = new AsyncDisposableStack();
  for (let i = 0; i < count; i++) {
    const harness = stack.use(await openNoiseBridge(gateway, exeId));
    await claim(harness, machine, `bad-${i}`);
    harness.send(frame(`bad-${i}`, "handshake", new Uint8Array(100)));
    assert.equal(parseFrame(await machine.next()).body, "handshake");
  }
  for (let i = 0; i < count; i++) machine.send(frame(`bad-${i}`, "reset", REFUSED));
  await until("the gateway has them all", async () => await gateway.metric("cxg_streams") === 1);
}

/** One handshake of a turn that the executor refuses. */
async function fail(
  gateway: GatewayClient,
  exeId: string,
  machine: Peer,
  claims: Partial<CapClaims> = {},
): Promise<void> {
  await using harness = await openNoiseBridge(gateway, exeId, claims);
  const id = crypto.randomUUID();
  await claim(harness, machine, id);
  harness.send(frame(id, "handshake", new Uint8Array(100)));
  assert.equal(parseFrame(await machine.next()).body, "handshake");
  machine.send(frame(id, "reset", REFUSED));
  assert.equal(resetReason(parseFrame(await harness.next())), "bad");
}

async function handshakeOk(harness: Peer, machine: Peer, streamId: string): Promise<void> {
  await claim(harness, machine, streamId);
  harness.send(frame(streamId, "handshake", new Uint8Array(100)));
  assert.equal(parseFrame(await machine.next()).body, "handshake");
  machine.send(frame(streamId, "handshake", new Uint8Array(100)));
  assert.equal(parseFrame(await harness.next()).body, "handshake");
}
