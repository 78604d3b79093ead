import assert from "node:assert/strict";
import { databases } from "../support/databases.ts";
import { startGateway } from "../support/gateway.ts";
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
