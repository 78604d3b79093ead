import assert from "node:assert/strict";
import type { PeerSocket } from "../../src/switchboard/peer_socket.ts";
import { Pressure } from "../../src/switchboard/pressure.ts";
import { OpenSockets } from "../../src/switchboard/open_sockets.ts";
import { Traffic } from "../../src/switchboard/traffic.ts";
import { Wire } from "../../src/switchboard/wire.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { connect, until } from "../support/websocket.ts";

const MIB = 1024 * 1024;

/** How long the receiver takes nothing, in milliseconds: many looks of the gateway's. */
const STILL_MS = 300;

Deno.test("time in which a slow receiver takes nothing counts as time that its sender is held", async () => {
  const openSockets = new OpenSockets(16 * MIB);
  const pressure = new Pressure();
  const peers: PeerSocket[] = [];
  await using server = Deno.serve({ port: 0, onListen() {} }, (req) => {
    const { socket, response } = Deno.upgradeWebSocket(req);
    peers.push(openSockets.add(socket, "somebody"));
    return response;
  });
  await using sender = await connect(`ws://127.0.0.1:${server.addr.port}/`);
  using receiver = await RawSocket.open(server.addr.port, "/", "any");
  await until("both are there", () => openSockets.size === 2);
  let countedMs = 0;
  const wire = new Wire(peers[0]!, peers[1]!, {
    side: "executor",
    traffic: new Traffic(),
    pressure,
    maxFrameBytes: MIB,
    maxBufferedBytes: 16 * MIB,
    onTooLarge: () => {},
    onStuck: () => {},
    onHeld: (ms) => countedMs += ms,
  });
  peers[0]!.onmessage = (data) => wire.send(data);
  receiver.stopReading();
  for (let n = 0; n < 64; n++) sender.send(new Uint8Array(MIB));
  await until("the sender is held, and nothing moves any more", () => wire.heldMs > STILL_MS);
  const before = { heldMs: wire.heldMs, countedMs };
  await until("it is held for as long again", () => wire.heldMs > before.heldMs + STILL_MS);
  // Both are counted in the same looks; rounding apart, there is no difference.
  const heldMs = wire.heldMs - before.heldMs;
  assert.ok(Math.abs(countedMs - before.countedMs - heldMs) < 1, `${countedMs} ms, ${heldMs} ms`);
  wire.end();
});
