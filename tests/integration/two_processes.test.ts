/**
 * Two gateways on one PostgreSQL database, as they are while one takes over from the other.
 *
 * @module
 */
import assert from "node:assert/strict";
import { onPostgres } from "../support/databases.ts";
import { dialIn, greet, openBridge } from "../support/exclusive.ts";
import { startGateway } from "../support/gateway.ts";
import { handshake } from "../support/websocket.ts";

onPostgres(
  "a harness waits for an executor that comes over from the other process",
  async (database) => {
    await using old = await startGateway(database);
    const executor = await old.createExecutor();
    await using machine = await dialIn(old, executor);
    await using successor = await startGateway(database);
    const opening = openBridge(successor, executor.exe_id);
    await old.stop();
    await machine.closed;
    await using again = await dialIn(successor, executor);
    await using harness = await opening;
    await greet(harness, again);
  },
);

onPostgres("an executor that nobody has seen is not waited for", async (database) => {
  await using gateway = await startGateway(database);
  const { exe_id } = await gateway.createExecutor();
  const started = performance.now();
  const { status } = await handshake(`${gateway.wsUrl}/bridge/${exe_id}`, {
    authorization: `Bearer ${await gateway.capToken(exe_id)}`,
  });
  assert.equal(status, 503);
  // Had it been waited for, that would have taken these 8 s at the least.
  assert.ok(performance.now() - started < 8_000);
});
