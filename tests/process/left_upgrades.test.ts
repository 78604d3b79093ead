import assert from "node:assert/strict";
import { onAnyDatabase } from "../support/databases.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { dialInAsRelay } from "../support/relay.ts";
import { until } from "../support/websocket.ts";

/** How many clients leave before they are answered. */
const CLIENTS = 200;

onAnyDatabase(
  "clients that go before they are answered leave no connection behind",
  async (store) => {
    await using gateway = await GatewayProcess.start(store);
    const executor = await gateway.createExecutor();
    await using _machine = await dialInAsRelay(gateway, executor);
    const before = await gateway.openFiles();
    for (let n = 0; n < CLIENTS; n++) {
      // Each of a turn of its own, which may have but a few bridges.
      const token = await gateway.capToken(executor.exe_id);
      const request = new TextEncoder().encode(
        `GET /bridge/${executor.exe_id} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n` +
          "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
          `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer ${token}\r\n\r\n`,
      );
      const client = await Deno.connect({ hostname: "127.0.0.1", port: gateway.port });
      await client.write(request);
      client.close();
      // In bursts: one by one, each would be answered before it goes.
      if (n % 10 === 9) await gateway.metric("cxg_bridges");
    }
    await until(
      "all of their connections are gone",
      // One or two come and go with the database and with this very call.
      async () => await gateway.openFiles() <= before + 3,
      60_000,
    );
    assert.equal(await gateway.metric("cxg_bridges"), 0);
  },
);
