/**
 * The gateway behind nginx and HAProxy, configured as `deploy/` has it: executors and harnesses come through, and
 * nothing else does; and what the gateway cannot limit itself, they do.
 *
 * @module
 */
import assert from "node:assert/strict";
import { exchange, fromLatin1 } from "../fuzz/raw_http.ts";
import { parseDuration } from "../../src/text/duration.ts";
import { databases } from "../support/databases.ts";
import { dialIn, greet, openBridge, untilConnected } from "../support/exclusive.ts";
import { SECRETS } from "../support/gateway.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { ODD_TARGETS } from "../support/odd_targets.ts";
import {
  connectOk,
  dialInAsRelay,
  NOISE_REGISTRATION,
  openRelayBridge,
  register,
} from "../support/relay.ts";
import { connect, handshake, type Peer, until } from "../support/websocket.ts";
import { report } from "./support/figures.ts";
import { HAPROXY } from "./support/haproxy.ts";
import { NGINX } from "./support/nginx.ts";
import { configuration, type Proxy, ProxyFront } from "./support/proxy_front.ts";
import { full } from "./support/scale.ts";
import { dribble } from "./support/slow_client.ts";

const PROXIES = [NGINX, HAPROXY];

const INTERNAL = [
  "/healthz",
  "/readyz",
  "/metrics",
  "/api",
  "/api/codex-exec/status",
  "/api/codex-exec/executors",
  "/api/exec-gateway/connected?workspace_id=ws_test",
  "/api/exec-gateway/revoke-turn",
  "/console",
];

/** What only looks like an endpoint of an executor or a harness. */
const LIKE_PUBLIC = [
  "/",
  "/bridge",
  "/bridge/",
  "/bridge//exe_1",
  "//bridge/exe_1",
  "/bridge/exe_1/",
  "/bridge/exe_1/api",
  "/bridge/.",
  "/bridge/..",
  "/bridge/%65xe_1",
  "/bridge/exe_1%2f..",
  "/bridge/exe_1;/../../api/codex-exec/status",
  "/bridge/exe_1\\..\\..\\api",
  "/Bridge/exe_1",
  "/cloud/environment/exe_1",
  "/cloud/environment/exe_1/register/..",
  "/cloud/environment/exe_1/%72egister",
  "/cloud/executor/exe_1/connect",
  "/cloud/environment/../../api/codex-exec/status",
  "/x?/bridge/exe_1",
  "/api/codex-exec/status#/bridge/exe_1",
  "/api/codex-exec/status?/bridge/exe_1",
];

const PUBLIC = [
  "/bridge/exe_1",
  "/bridge/exe_1?role=harness",
  "/codex-exec/exe_1?token=x",
  "/cloud/executor/exe_1/register",
  "/cloud/environment/exe_1/register",
  "/cloud/environment/exe_1/direct/register",
  "/cloud/environment/exe_1/connect",
  "/cloud/environment/exe_1/validate?x",
];

proxyTest("executors and harnesses come through, and nothing else", async (front, gateway) => {
  const reached = async () => {
    const samples = await gateway.samples("cxg_refusals_total{");
    return samples.reduce((sum, sample) => sum + Number(sample.split(" ").at(-1)), 0);
  };
  const before = await reached();
  for (const target of [...INTERNAL, ...LIKE_PUBLIC, ...ODD_TARGETS]) {
    for (const method of ["GET", "POST"]) {
      const answer = await exchange(front.port, requestOf(method, target));
      assert.ok([400, 404].includes(answer!.status), `${method} ${target}: ${answer!.status}`);
    }
  }
  assert.equal(await reached(), before, "the gateway has seen none of them");
  for (const target of PUBLIC) {
    const answer = await exchange(front.port, requestOf("GET", target));
    assert.match(answer!.headers["content-type"]!, /json/, `${target}: ${answer!.status}`);
  }
  assert.equal(await reached(), before + PUBLIC.length, "and all of these");
});

proxyTest("an upgrade that is refused is no way to anything else", async (front) => {
  const upgrade = `GET /bridge/exe_1 HTTP/1.1\r\nHost: gateway.example\r\nConnection: Upgrade\r\n` +
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: front.port });
  const second = requestOf("GET", "/api/exec-gateway/connected?workspace_id=ws_test");
  await connection.write(new Uint8Array([...new TextEncoder().encode(upgrade), ...second]));
  const answers = await new Response(connection.readable).text();
  const statuses = [...answers.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => status);
  assert.equal(statuses[0], "401", answers);
  assert.deepEqual(statuses.slice(1).filter((status) => status !== "404"), [], answers);
});

for (const { name, file, idle } of PROXIES) {
  Deno.test(`${name}: a quiet websocket is given longer than CXG_PING_INTERVAL can be`, async () => {
    const text = await configuration(file, []);
    for (const pattern of idle) {
      // At most an hour: src/config.ts.
      assert.ok(parseDuration(pattern.exec(text)![1]!)! > 3_600, `${pattern}`);
    }
  });
}

proxyTest(
  "a bridge works through it, and the client's address arrives",
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

proxyTest("it ends connections that never finish a request", async (front, gateway, proxy) => {
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
    `unfinished requests behind ${proxy.name} are cut after`,
    `${longest.toFixed(1)} s at most (${seconds.length} connections, ${
      Object.keys(kinds).length
    } kinds)`,
  );
});

proxyTest("it limits the connections of an address", async (front, _gateway, proxy) => {
  const executor = await front.createExecutor();
  await using _machine = await dialInAsRelay(front, executor);
  const harnesses: Peer[] = [];
  const open = async () => harnesses.push(await openRelayBridge(front, executor.exe_id));
  await assert.rejects(async () => {
    while (harnesses.length < 300) await open();
  }, /503/);
  // One of the 200 is the executor's own; one may be that of its register call, which HAProxy keeps.
  assert.ok([198, 199].includes(harnesses.length), `${harnesses.length}`);
  const register = `${front.url}/cloud/environment/${executor.exe_id}/register`;
  assert.equal(await fetchFrom("127.0.0.9", register), 401, "another address gets through");
  for (const harness of harnesses) harness.close();
  await Promise.all(harnesses.map(({ closed }) => closed));
  await report(
    `connections that ${proxy.name} let one address hold`,
    "200, the next was answered 503",
  );
});

proxyTest("it logs each request and no token of any kind", async (front, gateway, proxy) => {
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
  for (const each of [url, ...urls]) {
    assert.equal((await handshake(each)).status, proxy.awayStatus);
  }
  await until(
    "all are logged",
    async () => (await front.logs()).access!.match(/"GET \/(bridge|codex-exec)\//g)?.length === 10,
  );
  const logs = await front.logs();
  for (const path of ["register", "connect"]) {
    assert.match(
      logs.access!,
      new RegExp(`"POST /cloud/environment/${exe_id}/${path} HTTP/1.1" 200`),
    );
  }
  const away = `"GET /codex-exec/\\S+ HTTP/1\\.1" ${proxy.awayStatus} `;
  assert.match(logs.access!, new RegExp(away));
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

/** A request with every secret that the API takes. */
function requestOf(method: string, target: string): Uint8Array {
  return fromLatin1(
    `${method} ${target} HTTP/1.1\r\nHost: gateway.example\r\nConnection: close\r\n` +
      `X-Internal-Secret: ${SECRETS.shared}\r\nAuthorization: Bearer ${SECRETS.internal}\r\n` +
      `${method === "POST" ? "Content-Length: 2\r\n\r\n{}" : "\r\n"}`,
  );
}

/** The token in a URL. */
function tokenOf(url: string): string {
  return new URL(url).searchParams.get("token")!;
}

/** Registers a test of each proxy before a gateway. */
function proxyTest(
  name: string,
  run: (front: ProxyFront, gateway: GatewayProcess, proxy: Proxy) => Promise<void>,
): void {
  for (const proxy of PROXIES) {
    Deno.test({
      name: `${proxy.name}: ${name}`,
      ignore: !proxy.isThere,
      async fn() {
        const database = await databases[0]!.create();
        try {
          await using gateway = await GatewayProcess.start(database.options, {
            CXG_TRUSTED_PROXIES: "127.0.0.1",
          });
          await using front = await ProxyFront.start(proxy, gateway);
          await run(front, gateway, proxy);
        } finally {
          await database.dispose();
        }
      },
    });
  }
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
