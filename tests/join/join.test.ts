import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect as connectTcp, createServer, type Socket } from "node:net";
import { register } from "../../src/join/codex_call.mjs";
import { gatewayAt } from "../../src/join/gateway.mjs";
import { TestCertificates } from "../support/certificates.ts";
import { onAnyDatabase } from "../support/databases.ts";
import { greet, openBridge, untilConnected } from "../support/exclusive.ts";
import { freePort } from "../support/free_port.ts";
import { startGateway } from "../support/gateway.ts";
import { Joined } from "../support/joined.ts";
import {
  askToConnect,
  connectOk,
  NOISE_REGISTRATION,
  register as registerAt,
  validate,
} from "../support/relay.ts";
import { DIRECT_BODY, signedHeaders } from "../support/signed.ts";
import { connect, handshake, until } from "../support/websocket.ts";

onAnyDatabase("join: all of a gateway's calls and websockets, by TLS", async (store) => {
  await using certificates = await TestCertificates.create();
  const ca = `${certificates.directory}/ca.pem`;
  await Deno.writeTextFile(ca, certificates.ca);
  await using gateway = await startGateway(store, {
    tls: certificates.files,
    ca: certificates.ca,
  });
  await using joined = await Joined.to(gateway.url, { ca });

  // Twenty executors and a bridge to each, every call of it through join.
  const pairs = await Promise.all(Array.from({ length: 20 }, async () => {
    const executor = await joined.createExecutor();
    const answer = await fetch(`${joined.url}/cloud/executor/${executor.exe_id}/register`, {
      method: "POST",
      headers: { authorization: `Bearer ${executor.registration_token}` },
      body: JSON.stringify({ idempotency_id: "i" }),
    });
    const { url } = await answer.json();
    assert.ok(url.startsWith(`${joined.wsUrl}/codex-exec/${executor.exe_id}?token=`), url);
    const socket = await connect(url);
    await untilConnected(joined, executor.exe_id);
    const harness = await openBridge(joined, executor.exe_id);
    await greet(harness, socket);
    return { socket, harness };
  }));
  for (const [i, { socket, harness }] of pairs.entries()) {
    // Larger than what any buffer on the way holds.
    const large = new Uint8Array(3_000_000).fill(i);
    harness.send(large);
    assert.deepEqual(await socket.next(), large);
    socket.send(large.subarray(0, 1_000_000));
    assert.deepEqual(await harness.next(), large.subarray(0, 1_000_000));
  }
  const [first, second] = pairs;
  await first!.harness[Symbol.asyncDispose]();
  const { code } = await first!.socket.closed;
  assert.equal(code, 1000, "the end of one side reaches the other");
  await second!.socket[Symbol.asyncDispose]();
  await second!.harness.closed;
  for (const { socket, harness } of pairs) {
    await socket[Symbol.asyncDispose]();
    await harness[Symbol.asyncDispose]();
  }
  assert.deepEqual(joined.said, []);
});

onAnyDatabase(
  "join: an answer names a websocket on this loopback, however the gateway is called",
  async (store) => {
    for (const publicWsBaseUrl of [undefined, "wss://gateway.example/base"]) {
      await using gateway = await startGateway(store, { publicWsBaseUrl });
      await using joined = await Joined.to(gateway.url);
      const executor = await joined.createExecutor();
      const registered = await registerAt(joined, executor, NOISE_REGISTRATION);
      assert.ok(registered.url.startsWith(`${joined.wsUrl}/codex-exec/`), registered.url);
      await using _socket = await connect(registered.url);
      await untilConnected(joined, executor.exe_id);
      const bundle = await connectOk(joined, executor);
      assert.ok(bundle.url.startsWith(`${joined.wsUrl}/bridge/`), bundle.url);
      assert.ok(await validate(joined, executor, bundle));
      await using _bridge = await connect(bundle.url);
    }
  },
);

onAnyDatabase("join: a direct executor's signature still fits", async (store) => {
  await using gateway = await startGateway(store);
  await using joined = await Joined.to(gateway.url);
  const { exe_id, direct } = await joined.createExecutor("ws_test", { direct: true });
  const path = `/cloud/environment/${exe_id}/direct/register`;
  const host = `127.0.0.1:${joined.port}`;
  const answer = await fetch(joined.url + path, {
    method: "POST",
    headers: signedHeaders({ method: "POST", path, host, pair: direct!, body: DIRECT_BODY }),
    body: DIRECT_BODY,
  });
  const { url } = await answer.json();
  assert.equal(url, `${joined.wsUrl}/codex-exec/${exe_id}`);
  const signing = { path: new URL(url).pathname, host, pair: direct! };
  await using _socket = await connect(url, signedHeaders(signing));
  await untilConnected(joined, exe_id);
});

onAnyDatabase("join: what the gateway refuses is refused in its words", async (store) => {
  await using gateway = await startGateway(store);
  await using joined = await Joined.to(gateway.url);
  const { exe_id } = await joined.createExecutor();
  for (const url of [gateway.url, joined.url]) {
    const refused = await fetch(`${url}/cloud/environment/${exe_id}/register`, {
      method: "POST",
      headers: { authorization: "Bearer wrong" },
    });
    assert.equal(refused.status, 401);
    assert.equal((await refused.json()).error.code, "unauthorized");
    assert.equal(refused.headers.get("www-authenticate"), "Bearer");
    const { status } = await handshake(`${url.replace("http", "ws")}/bridge/${exe_id}`);
    assert.equal(status, 401);
  }
  assert.deepEqual(joined.said, []);
});

onAnyDatabase("join: only who calls this machine by its own name is served", async (store) => {
  await using gateway = await startGateway(store);
  await using joined = await Joined.to(gateway.url);
  const ask = async (host: string, upgrade = "") => {
    const socket = connectTcp(joined.port, "127.0.0.1");
    socket.write(`GET /healthz HTTP/1.1\r\nHost: ${host}\r\n${upgrade}\r\n`);
    let answer = "";
    for await (const part of socket) answer += part;
    return answer.split("\r\n")[0];
  };
  const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
  for (const host of ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "localhost@evil", ""]) {
    assert.equal(await ask(host), "HTTP/1.1 403 Forbidden", host);
    assert.equal(await ask(host, upgrade), "HTTP/1.1 403 Forbidden", host);
  }
  for (const host of ["127.0.0.1", "LocalHost:1", "[::1]", `127.0.0.1:${joined.port}`]) {
    assert.equal(await ask(host), "HTTP/1.1 200 OK", host);
  }
});

onAnyDatabase(
  "join: a register call waits for the gateway, and what is said is said once",
  async (store) => {
    const port = freePort();
    const first = await startGateway(store, { port });
    await using joined = await Joined.to(`http://127.0.0.1:${port}`);
    const executor = await joined.createExecutor();
    await first.stop();
    const held = [registerAt(joined, executor), registerAt(joined, executor, NOISE_REGISTRATION)];
    const other = await fetch(`${joined.url}/cloud/environment/${executor.exe_id}/connect`, {
      method: "POST",
    });
    assert.equal(other.status, 503);
    const { error } = await other.json();
    assert.equal(error.code, "unavailable");
    assert.match(error.message, /nothing listens at 127\.0\.0\.1:\d+ .*is the gateway running\?/);
    assert.equal((await handshake(`${joined.wsUrl}/codex-exec/${executor.exe_id}`)).status, 503);
    await using _second = await startGateway(store, { port });
    for (const { url } of await Promise.all(held)) assert.match(url, /^ws:\/\/127\.0\.0\.1:/);
    assert.equal(joined.said.length, 2, joined.said.join("\n"));
    assert.match(joined.said[0]!, /nothing listens/);
    assert.match(joined.said[1]!, /is reached again$/);
  },
);

onAnyDatabase("join: a gateway that refuses with 503 is there", async (store) => {
  await using gateway = await startGateway(store);
  await using joined = await Joined.to(gateway.url);
  const { exe_id } = await joined.createExecutor();
  const refused = await askToConnect(joined, exe_id);
  assert.equal(refused.status, 503);
  assert.match((await refused.json()).error.message, /not connected|has not connected/);
  const url = `${joined.wsUrl}/bridge/${exe_id}?token=${await joined.capToken(exe_id)}`;
  assert.equal((await handshake(url)).status, 503);
  assert.deepEqual(joined.said, []);
});

Deno.test("join: a proxy without its gateway is told of once, whatever is asked of it", async () => {
  await using proxy = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("<h1>502</h1>", { status: 502 }),
  );
  const url = `http://127.0.0.1:${proxy.addr.port}`;
  await using joined = await Joined.to(url, { holdMs: { noiseMs: 1, otherMs: 1 } });
  for (const call of ["register", "connect", "register"]) {
    const path = `/cloud/environment/exe_1/${call}`;
    const answer = await fetch(joined.url + path, { method: "POST" });
    assert.equal(answer.status, 502);
    await answer.body?.cancel();
    assert.equal((await handshake(`${joined.wsUrl}/codex-exec/exe_1`)).status, 502);
  }
  assert.equal(joined.said.length, 1, joined.said.join("\n"));
  assert.match(joined.said[0]!, /answers 502: the gateway is stopping, starting, or not behind/);
});

Deno.test("join: a Noise executor's register call is answered before codex gives up", async () => {
  const url = `http://127.0.0.1:${freePort()}`;
  await using joined = await Joined.to(url, { holdMs: { noiseMs: 1, otherMs: 3_600_000 } });
  const answer = await fetch(`${joined.url}/cloud/environment/exe_1/register`, {
    method: "POST",
    body: JSON.stringify(NOISE_REGISTRATION),
  });
  assert.equal(answer.status, 503);
  assert.match((await answer.json()).error.message, /is the gateway running\?/);
});

Deno.test("join: a caller that has gone is waited for no longer", async () => {
  const gone = new AbortController();
  const gateway = gatewayAt(`http://127.0.0.1:${freePort()}`);
  const call = { method: "POST", path: "/register", headers: [], body: Buffer.alloc(0) };
  await assert.rejects(register(gateway, call, gone.signal, () => gone.abort()));
});

Deno.test("join: who does not read holds the other back, both ways", async () => {
  const BYTES = 64 * 1024 * 1024;
  const upgraded = Promise.withResolvers<Socket>();
  const server = createServer((socket) => {
    socket.once("data", () => {
      socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
      );
      socket.pause();
      upgraded.resolve(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await using joined = await Joined.to(`http://127.0.0.1:${port}`);
  const near = connectTcp(joined.port, "127.0.0.1");
  near.write(
    "GET /bridge/x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
  );
  await new Promise<void>((resolve) => near.once("data", () => resolve()));
  near.pause();
  const far = await upgraded.promise;
  for (const [from, to] of [[near, far], [far, near]] as const) {
    from.write(new Uint8Array(BYTES));
    let left = -1;
    // The round trips of other calls are the clock: they pass through the same event loop.
    await until("nothing more is taken", async () => {
      const before = left;
      for (let call = 0; call < 20; call++) {
        await handshake(`${joined.wsUrl}/bridge/x`, { host: "refused.example" });
      }
      left = from.writableLength;
      return left === before;
    }, 60_000);
    assert.ok(left > BYTES / 2, `${left} of ${BYTES} bytes wait at their sender`);
    let received = 0;
    to.on("data", ({ length }) => received += length);
    to.resume();
    await until("all of it has come", () => received === BYTES, 60_000);
    to.removeAllListeners("data").pause();
  }
  near.destroy();
  far.destroy();
  await new Promise((resolve) => server.close(resolve));
});
