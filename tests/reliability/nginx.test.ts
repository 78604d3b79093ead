/**
 * What the gateway cannot limit itself, nginx before it does, configured as the README has it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { databases } from "../support/databases.ts";
import { dialIn, greet, openBridge, untilConnected } from "../support/exclusive.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import {
  connectOk,
  dialInAsRelay,
  NOISE_REGISTRATION,
  openRelayBridge,
  register,
} from "../support/relay.ts";
import { connect, handshake, type Peer, until } from "../support/websocket.ts";
import { report } from "./support/figures.ts";
import { hasNginx, NginxFront } from "./support/nginx.ts";
import { full } from "./support/scale.ts";
import { dribble } from "./support/slow_client.ts";

nginxTest(
  "a bridge works through nginx, and the client's address arrives",
  async (front, gateway) => {
    const executor = await front.createExecutor();
    await using machine = await dialIn(front, executor);
    await using harness = await openBridge(front, executor.exe_id);
    await greet(harness, machine);
    for (const size of [1, 64 * 1024, 8 * 1024 * 1024]) {
      const message = crypto.getRandomValues(new Uint8Array(Math.min(size, 65_536)));
      const large = new Uint8Array(size);
      for (let at = 0; at < size; at += message.length) large.set(message, at);
      harness.send(large);
      assert.deepEqual(await machine.next(), large);
      machine.send(large);
      assert.deepEqual(await harness.next(), large);
    }
    // Longer than what nginx gives a quiet connection by default.
    if (full) await new Promise((resolve) => setTimeout(resolve, 75_000));
    harness.send("still there?");
    assert.equal(await machine.next(), "still there?");
    await fetchFrom("127.0.0.9", `${front.url}/cloud/environment/${executor.exe_id}/register`);
    const line = /"refused".*"wrong_registration_token".*"remote":"127\.0\.0\.9"/;
    await until("it is logged", () => line.test(gateway.log));
  },
);

nginxTest("nginx ends connections that never finish a request", async (front, gateway) => {
  const { exe_id, registration_token } = await front.createExecutor();
  const head = `POST /cloud/environment/${exe_id}/register HTTP/1.1\r\nhost: x\r\n` +
    `authorization: Bearer ${registration_token}\r\ncontent-length: 1000\r\n\r\n`;
  const kinds: Record<string, [first: string, more: string]> = {
    "nothing": ["", ""],
    "half a head": ["GET / HTTP/1.1\r\nhost: x\r\n", ""],
    "a head, a byte a second": ["GET / HTTP/1.1\r\nhost: x\r\na: ", "b"],
    "a head, a header a second": ["GET / HTTP/1.1\r\nhost: x\r\n", "a: b\r\n"],
    "half an upgrade": ["GET /bridge/x HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\n", ""],
    "half a body": [`${head}{`, ""],
  };
  const files = await gateway.openFiles();
  const connections = Object.entries(kinds).flatMap(([kind, [first, more]]) =>
    Array.from({ length: 20 }, async () => ({
      kind,
      ended: await dribble(front.port, first, more, 30_000),
    }))
  );
  // None of them costs the gateway anything.
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  assert.ok(await gateway.openFiles() <= files + 2, "no connection reaches the gateway");
  const seconds: number[] = [];
  for (const { kind, ended } of await Promise.all(connections)) {
    assert.ok(ended !== undefined, `${kind}: still open after 30 s`);
    seconds.push(ended.seconds);
  }
  const longest = Math.max(...seconds);
  assert.ok(longest < 20, `${longest} s`);
  await report(
    "unfinished requests behind nginx are cut after",
    `${longest.toFixed(1)} s at most (${seconds.length} connections, ${
      Object.keys(kinds).length
    } kinds)`,
  );
});

nginxTest("nginx limits the connections of an address", async (front) => {
  const executor = await front.createExecutor();
  await using _machine = await dialInAsRelay(front, executor);
  const harnesses: Peer[] = [];
  // One of the 200 is the executor's own.
  while (harnesses.length < 199) harnesses.push(await openRelayBridge(front, executor.exe_id));
  const authorization = `Bearer ${await front.capToken(executor.exe_id)}`;
  const url = `${front.wsUrl}/bridge/${executor.exe_id}`;
  assert.equal((await handshake(url, { authorization })).status, 503);
  const elsewhere = await fetchFrom("127.0.0.9", `${front.url}/healthz`);
  assert.equal(elsewhere, 200, "another address gets through");
  for (const harness of harnesses) harness.close();
  await Promise.all(harnesses.map(({ closed }) => closed));
  await report("connections that nginx let one address hold", "200, the next was answered 503");
});

nginxTest("nginx logs each request and no token of any kind", async (front, gateway) => {
  const executor = await front.createExecutor();
  const { exe_id, registration_token } = executor;
  const { url } = await register(front, executor, NOISE_REGISTRATION);
  const dialled = await connect(url);
  await untilConnected(front, exe_id);
  const bundle = await connectOk(front, executor);
  const capToken = await front.capToken(exe_id);
  const urls = [
    bundle.url,
    `${front.wsUrl}/bridge/${exe_id}?token=${capToken}&role=harness`,
    `${front.wsUrl}/codex-exec/${exe_id}?token=${registration_token}`,
    `${front.wsUrl}/codex-exec/${exe_id}?token=%63xgx.wrong`,
  ];
  for (const each of urls) await handshake(each);
  dialled.close();
  gateway.kill("SIGKILL");
  await gateway.exited;
  for (const each of [url, ...urls]) assert.equal((await handshake(each)).status, 502);
  await until(
    "all are logged",
    async () => (await front.logs()).access.match(/"GET \/(bridge|codex-exec)\//g)?.length === 10,
  );
  const logs = await front.logs();
  for (const path of ["register", "connect"]) {
    assert.match(
      logs.access,
      new RegExp(`"POST /cloud/environment/${exe_id}/${path} HTTP/1.1" 200`),
    );
  }
  assert.match(logs.access, /"GET \/codex-exec\/\S+ HTTP\/1\.1" 502 .* upstream=502$/m);
  const secrets = [
    registration_token,
    capToken,
    ...[url, bundle.url].map(tokenOf),
    "wrong",
    "token=",
  ];
  for (const [file, text] of Object.entries(logs)) {
    for (const secret of secrets) assert.ok(!text.includes(secret), `${file}: ${secret}\n${text}`);
  }
});

/** The token in a URL. */
function tokenOf(url: string): string {
  return new URL(url).searchParams.get("token")!;
}

/** Registers a test of nginx before a gateway. */
function nginxTest(
  name: string,
  run: (front: NginxFront, gateway: GatewayProcess) => Promise<void>,
): void {
  Deno.test({
    name,
    ignore: !hasNginx,
    async fn() {
      const database = await databases[0]!.create();
      try {
        await using gateway = await GatewayProcess.start(database.options, {
          CXG_TRUSTED_PROXIES: "127.0.0.1",
        });
        await using front = await NginxFront.start(gateway.port);
        await run(front, gateway);
      } finally {
        await database.dispose();
      }
    },
  });
}

/** Posts a wrong registration token, or gets a page, from another address of this machine. */
async function fetchFrom(localAddress: string, url: string): Promise<number> {
  using client = Deno.createHttpClient({ localAddress });
  const method = url.endsWith("/register") ? "POST" : "GET";
  const headers = { authorization: `Bearer ${"0".repeat(64)}` };
  const response = await fetch(url, { method, headers, client });
  await response.body?.cancel();
  return response.status;
}
