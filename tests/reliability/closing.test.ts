import assert from "node:assert/strict";
import { databases } from "../support/databases.ts";
import { dialIn } from "../support/exclusive.ts";
import { startGateway } from "../support/gateway.ts";
import { untilHeld } from "../support/held.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { claim, dialInAsRelay, frame, parseFrame } from "../support/relay.ts";
import { until } from "../support/websocket.ts";
import { report } from "./support/figures.ts";

Deno.test("a peer that goes on sending after its close frame is cut", async () => {
  const database = await databases[0]!.create();
  try {
    await using gateway = await startGateway(database.options);
    const executor = await gateway.createExecutor();
    const { exe_id } = executor;
    await using machine = await dialInAsRelay(gateway, executor);
    const turn_id = "turn_deaf";
    using deaf = await RawSocket.open(
      gateway.port,
      `/bridge/${exe_id}`,
      await gateway.capToken(exe_id, { turn_id }),
    );
    await claim(
      { send: (message) => deaf.sendMessage(message as Uint8Array) },
      machine,
      "stream-1",
    );
    const revoked = await gateway.call("POST", "/api/exec-gateway/revoke-turn", { turn_id });
    assert.equal(revoked.status, 204);
    assert.equal(parseFrame(await machine.next()).body, "reset");
    const { opcode, payload } = await deaf.readFrame();
    assert.deepEqual([opcode, payload[0]! * 256 + payload[1]!], [8, 1008]);
    const startedAt = performance.now();
    await until("it is cut", () => {
      deaf.sendMessage(frame("stream-1", "data"));
      return deaf.closed;
    }, 15_000);
    const seconds = (performance.now() - startedAt) / 1_000;
    assert.ok(seconds > 3, `cut after ${seconds} s, before it could have answered`);
    assert.equal(machine.pending, 0, "what it sent after its bridge had ended went on");
    await report(
      "A peer that goes on sending after its close frame is cut",
      `${seconds.toFixed(1)} s`,
    );
  } finally {
    await database.dispose();
  }
});

/** Longer than a peer that was sent nothing may go on sending, in milliseconds. */
const LONG_MS = 8_000;

for (const [what, messages] of [["much", 256], ["a little", 1]] as const) {
  Deno.test(`a peer that has ${what} to read yet, and sends meanwhile, reads all of it and why it was closed`, async () => {
    const database = await databases[0]!.create();
    try {
      await using gateway = await startGateway(database.options);
      const executor = await gateway.createExecutor();
      const { exe_id } = executor;
      await using machine = await dialIn(gateway, executor);
      const turn_id = "turn_slow";
      const token = await gateway.capToken(exe_id, { turn_id });
      using slow = await RawSocket.open(gateway.port, `/bridge/${exe_id}`, token);
      slow.stopReading();
      await until("the bridge is up", async () => await gateway.metric("cxg_bridges") === 1);
      for (let n = 0; n < messages; n++) machine.send(new Uint8Array(128 * 1024));
      const passed = () => gateway.metric('cxg_frames_total{to="harness"}');
      if (messages > 1) await untilHeld(gateway, "executor");
      else await until("it was sent", async () => await passed() === messages);
      const sent = await passed();
      const revoked = await gateway.call("POST", "/api/exec-gateway/revoke-turn", { turn_id });
      assert.equal(revoked.status, 204);
      const startedAt = performance.now();
      await until("it has sent for long", async () => {
        slow.sendMessage(new Uint8Array(1));
        await new Promise((resolve) => setTimeout(resolve, 100));
        return performance.now() - startedAt > LONG_MS;
      }, 2 * LONG_MS);
      for (let n = 0; n < sent; n++) {
        slow.resumeReading();
        assert.equal((await slow.readFrame()).opcode, 2, `frame ${n}`);
        slow.stopReading();
        slow.sendMessage(new Uint8Array(1));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      slow.resumeReading();
      assert.deepEqual(await slow.readClose(), { code: 1008, reason: "the turn was revoked" });
    } finally {
      await database.dispose();
    }
  });
}
