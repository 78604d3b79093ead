import assert from "node:assert/strict";
import { forEachDatabase, onPostgres } from "../support/databases.ts";
import { dialIn, greet } from "../support/exclusive.ts";
import { gatewayTest, startGateway, type TestGateway } from "../support/gateway.ts";
import {
  claim,
  dialInAsNoise,
  dialInAsRelay,
  frame,
  openNoiseBridge,
  parseFrame,
  resetReason,
} from "../support/relay.ts";
import { connect, handshake, type Peer, until } from "../support/websocket.ts";

const REVOKED = { code: 1008, reason: "the turn was revoked" };

gatewayTest(
  "revoking a turn ends its live bridges within a second, and no others",
  async (gateway) => {
    const exclusive = await gateway.createExecutor();
    const relay = await gateway.createExecutor();
    const noise = await gateway.createExecutor();
    await using text = await dialIn(gateway, exclusive);
    await using relayed = await dialInAsRelay(gateway, relay);
    await using encrypted = await dialInAsNoise(gateway, noise);
    const turn_id = "turn_revoked";
    await using a = await openBridge(gateway, exclusive.exe_id, turn_id);
    await greet(a, text);
    await using b = await openBridge(gateway, relay.exe_id, turn_id);
    await claim(b, relayed, "stream-b");
    await using c = await openNoiseBridge(gateway, noise.exe_id, { turn_id });
    await claim(c, encrypted, "stream-c");
    await using other = await openBridge(gateway, relay.exe_id, "turn_other");
    await claim(other, relayed, "stream-other");

    await revoke(gateway, turn_id);
    for (const harness of [a, b, c]) assert.deepEqual(await harness.closed, REVOKED);
    for (const [machine, id] of [[relayed, "stream-b"], [encrypted, "stream-c"]] as const) {
      const reset = parseFrame(await machine.next());
      assert.deepEqual([reset.streamId, resetReason(reset)], [id, "the turn was revoked"]);
    }
    assert.deepEqual(await text.closed, { code: 1000, reason: "bridge ended" });
    assert.equal(await openingStatus(gateway, relay.exe_id, turn_id), 401);
    await claim(other, relayed, "stream-other-2");
  },
);

gatewayTest(
  "a harness that is in the middle of sending reads why it is closed",
  async (gateway) => {
    const relay = await gateway.createExecutor();
    await using machine = await dialInAsRelay(gateway, relay);
    for (const turn_id of ["turn_a", "turn_b", "turn_c"]) {
      await using harness = await openBridge(gateway, relay.exe_id, turn_id);
      await claim(harness, machine, turn_id);
      const timer = setInterval(() => {
        for (let n = 0; n < 20; n++) harness.send(frame(turn_id, "data", new Uint8Array(5_000)));
      }, 1);
      harness.closed.then(() => clearInterval(timer));
      await until("it is in the middle of sending", () => machine.pending > 100);
      await revoke(gateway, turn_id);
      assert.deepEqual(await harness.closed, REVOKED);
      let reset = parseFrame(await machine.next());
      while (reset.body !== "reset") reset = parseFrame(await machine.next());
      assert.equal(machine.pending, 0);
    }
  },
);

forEachDatabase("a revoked turn is refused after a restart too", async (database) => {
  let exeId;
  {
    await using before = await startGateway(database);
    ({ exe_id: exeId } = await before.createExecutor());
    await revoke(before, "turn_kept");
    await revoke(before, "turn_over", Math.floor(Date.now() / 1000) - 1);
  }
  await using after = await startGateway(database);
  assert.equal(await openingStatus(after, exeId, "turn_kept"), 401);
  // A token of it may live longer than who revoked it said.
  assert.equal(await openingStatus(after, exeId, "turn_over"), 401);
  assert.equal(await openingStatus(after, exeId, "turn_other"), 503);
});

forEachDatabase(
  "more turns than memory holds are all refused, restarted or not",
  async (database) => {
    const limits = { maxRevokedInMemory: 3 };
    const turns = Array.from({ length: 10 }, (_, i) => `turn_${i}`);
    let exeId = "";
    {
      await using before = await startGateway(database, limits);
      ({ exe_id: exeId } = await before.createExecutor());
      for (const turn of turns) await revoke(before, turn);
      for (const turn of turns) assert.equal(await openingStatus(before, exeId, turn), 401, turn);
      assert.equal(await openingStatus(before, exeId, "turn_other"), 503);
    }
    await using after = await startGateway(database, limits);
    for (const turn of turns) assert.equal(await openingStatus(after, exeId, turn), 401, turn);
    assert.equal(await openingStatus(after, exeId, "turn_other"), 503);
  },
);

async function revoke(gateway: TestGateway, turn_id: string, exp?: number): Promise<void> {
  const body = { turn_id, exp };
  const response = await gateway.call("POST", "/api/exec-gateway/revoke-turn", body);
  assert.equal(response.status, 204);
}

async function openBridge(gateway: TestGateway, exeId: string, turn_id: string): Promise<Peer> {
  const token = await gateway.capToken(exeId, { turn_id });
  return await connect(`${gateway.wsUrl}/bridge/${exeId}?token=${token}`);
}

/** What a bridge of the turn is answered with. */
async function openingStatus(
  gateway: TestGateway,
  exeId: string,
  turn_id: string,
): Promise<number> {
  const token = await gateway.capToken(exeId, { turn_id });
  return (await handshake(`${gateway.wsUrl}/bridge/${exeId}?token=${token}`)).status;
}

onPostgres(
  "what one gateway process revokes, another on the same store ends and refuses",
  async (database) => {
    await using one = await startGateway(database);
    await using other = await startGateway(database);
    const executor = await one.createExecutor();
    await using machine = await dialIn(one, executor);
    await using harness = await openBridge(one, executor.exe_id, "turn_elsewhere");
    await greet(harness, machine);
    await revoke(other, "turn_elsewhere");
    assert.deepEqual(await harness.closed, REVOKED);
    assert.equal(await openingStatus(one, executor.exe_id, "turn_elsewhere"), 401);
  },
);
