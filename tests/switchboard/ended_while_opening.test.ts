import assert from "node:assert/strict";
import { TURN_REVOKED } from "../../src/switchboard/close_codes.ts";
import { ExclusiveLink } from "../../src/switchboard/exclusive_link.ts";
import type { ExecutorLink } from "../../src/switchboard/executor_link.ts";
import type { PeerSocket } from "../../src/switchboard/peer_socket.ts";
import { Pressure } from "../../src/switchboard/pressure.ts";
import { RelayLink } from "../../src/switchboard/relay_link.ts";
import { OpenSockets } from "../../src/switchboard/open_sockets.ts";
import { Traffic } from "../../src/switchboard/traffic.ts";
import { connect, type Peer } from "../support/websocket.ts";

const LIMITS = { maxStreams: 128, maxBufferedBytes: 1024 * 1024, maxFrameBytes: 1024 * 1024 };

const LINKS: Record<string, (executor: PeerSocket) => ExecutorLink> = {
  exclusive: (executor) =>
    new ExclusiveLink(
      "exe_1",
      undefined,
      LIMITS,
      new Traffic(),
      new Pressure(),
      executor,
      () => {},
    ),
  relay: (executor) =>
    new RelayLink(
      "exe_1",
      { kind: "relay", registration_id: "reg_1" },
      LIMITS,
      new Traffic(),
      new Pressure(),
      executor,
      () => {},
    ),
};

for (const [kind, makeLink] of Object.entries(LINKS)) {
  Deno.test(`a bridge that is ended while it opens says why (${kind})`, async () => {
    let link: ExecutorLink | undefined;
    let ended = 0;
    const openSockets = new OpenSockets(LIMITS.maxBufferedBytes);
    await using server = Deno.serve({ port: 0, onListen() {} }, async (req) => {
      const join = await link?.open({ turnId: "turn_1", workspaceId: "ws_1" });
      const { socket, response } = Deno.upgradeWebSocket(req);
      if (link === undefined) link = makeLink(openSockets.add(socket, "executor"));
      // As when its turn is revoked between the upgrade and the open event.
      else join!(openSockets.add(socket, "turn"), () => ended++, () => {})(TURN_REVOKED);
      return response;
    });
    const url = `ws://127.0.0.1:${server.addr.port}/`;
    await using _machine: Peer = await connect(url);
    await using harness = await connect(url);
    const { code, reason } = TURN_REVOKED;
    assert.deepEqual(await harness.closed, { code, reason });
    assert.equal(ended, 1);
  });
}
