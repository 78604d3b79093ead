import assert from "node:assert/strict";
import { exchange, fromLatin1 } from "../fuzz/raw_http.ts";
import { dialIn, greet, openBridge } from "../support/exclusive.ts";
import { gatewayTest, switchboardTest, type TestGateway } from "../support/gateway.ts";
import { connectOk, dialInAsNoise } from "../support/relay.ts";
import { connect } from "../support/websocket.ts";

/** Handshakes that are none, though some readers of headers would take them for one. */
const ODD_LISTS: readonly Record<string, string>[] = [
  { Connection: "upgrade\xa0" },
  { Connection: "\xa0upgrade" },
  { Connection: "keep-alive, upgrade\xa0" },
  { Connection: "upgrade\xa0, keep-alive" },
  { Connection: "keep-alive,\xa0upgrade" },
  { Connection: "upgrade;" },
  { Upgrade: "websocket\xa0" },
  { Upgrade: "\xa0websocket" },
  { Upgrade: "websocket/13" },
  { Upgrade: '"websocket"' },
];

switchboardTest(
  "a handshake that is none is refused, and takes nothing with it",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialIn(gateway, executor);
    const token = await gateway.capToken(executor.exe_id);
    for (const headers of ODD_LISTS) {
      const path = `/bridge/${executor.exe_id}?token=${token}`;
      assert.equal(await statusOf(gateway, path, headers), 426, JSON.stringify(headers));
    }
    await using harness = await openBridge(gateway, executor.exe_id);
    await greet(harness, machine);
  },
);

switchboardTest("blanks and tabs around a list's members count for nothing", async (gateway) => {
  const executor = await gateway.createExecutor();
  for (
    const headers of [
      { Connection: "keep-alive ,\t Upgrade \t" },
      { Connection: ",upgrade," },
      { Upgrade: "h2c,\twebsocket" },
    ] as Record<string, string>[]
  ) {
    const path = `/codex-exec/${executor.exe_id}?token=${executor.registration_token}`;
    assert.equal(await statusOf(gateway, path, headers), 101, JSON.stringify(headers));
  }
});

gatewayTest("a ticket is not used up by a request that failed", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using _machine = await dialInAsNoise(gateway, executor);
  const { url } = await connectOk(gateway, executor);
  const { pathname, search } = new URL(url);
  for (const headers of ODD_LISTS) {
    assert.equal(await statusOf(gateway, pathname + search, headers), 426, JSON.stringify(headers));
  }
  await using _harness = await connect(url);
  await assert.rejects(connect(url), /401/);
});

/** What a websocket handshake is answered with that has these headers in place of its own. */
async function statusOf(
  gateway: TestGateway,
  path: string,
  headers: Record<string, string>,
): Promise<number | undefined> {
  const lines = Object.entries({
    Host: "gateway.example",
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  const bytes = fromLatin1(`GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
  return (await exchange(gateway.port, bytes))?.status;
}
