/**
 * A runtime whose websockets lack what holds a slow peer's sender.
 *
 * @module
 */
import assert from "node:assert/strict";
import { onAnyDatabase } from "../support/databases.ts";
import { openBridge, untilConnected } from "../support/exclusive.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { settled } from "../support/websocket.ts";

const KIB = 1024;

/** Has the gateway find none of the fields that it looks for; the runtime itself goes on using them. */
const BLINDFOLD = `
  const all = Object.getOwnPropertySymbols;
  Object.getOwnPropertySymbols = (of) =>
    all(of).filter(({ description }) => !/eventLoop|HandleIdle/.test(description ?? ""));
`;

onAnyDatabase(
  "where the runtime cannot hold a peer, it is said, and what waits is bounded by bytes",
  async (store) => {
    const blindfold = await Deno.makeTempFile({ suffix: ".ts" });
    try {
      await Deno.writeTextFile(blindfold, BLINDFOLD);
      await using gateway = await GatewayProcess.start(
        store,
        {
          CXG_MAX_BUFFERED: String(256 * KIB),
        },
        undefined,
        blindfold,
      );
      await gateway.logs(/cannot stop reading from a peer/);
      await gateway.logs(/pings by itself/);
      const { exe_id, registration_token } = await gateway.createExecutor();
      using stuck = await RawSocket.open(gateway.port, `/codex-exec/${exe_id}`, registration_token);
      await untilConnected(gateway, exe_id);
      await using harness = await openBridge(gateway, exe_id);
      stuck.stopReading();
      for (let sent = 0; sent < 400 && !await settled(harness.closed, 1); sent++) {
        harness.send(new Uint8Array(128 * KIB));
      }
      assert.deepEqual(await harness.closed, {
        code: 1013,
        reason: "the executor reads too slowly",
      });
    } finally {
      await Deno.remove(blindfold);
    }
  },
);
