import assert from "node:assert/strict";
import { ReadLoop } from "../../src/runtime/read_loop.ts";
import { connect, until } from "../support/websocket.ts";

Deno.test("who reads on while a message is handled has one loop still, which can be stopped", async () => {
  const received: unknown[] = [];
  const loops: ReadLoop[] = [];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (req) => {
    const { socket, response } = Deno.upgradeWebSocket(req);
    const loop = new ReadLoop(socket);
    loops.push(loop);
    socket.onmessage = ({ data }) => {
      loop.handling();
      received.push(data);
      if (received.length === 1) {
        loop.stop();
        loop.start();
      }
      loop.handled(received.length === 2);
    };
    return response;
  });
  const url = `ws://127.0.0.1:${server.addr.port}/`;
  await using client = await connect(url);
  client.send("1");
  await until("the first is there", () => received.length === 1);
  client.send("2");
  await until("the second is there", () => received.length === 2);
  client.send("3");
  // It would be read before what this one sends, which begins later.
  await using other = await connect(url);
  other.send("from another");
  await until("the other's is there", () => received.length === 3);
  loops[0]!.start();
  await until("the third is there", () => received.length === 4);
  assert.deepEqual(received, ["1", "2", "from another", "3"]);
});
