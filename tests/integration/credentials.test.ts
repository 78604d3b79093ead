import assert from "node:assert/strict";
import { mintCapabilityToken } from "../../src/auth/capability_token.ts";
import { dialIn, untilConnected } from "../support/exclusive.ts";
import { gatewayTest, type TestGateway } from "../support/gateway.ts";
import { connect, handshake } from "../support/websocket.ts";

gatewayTest("a bridge is refused in the documented order", async (gateway) => {
  const executor = await gateway.createExecutor();
  const { exe_id } = executor;
  const url = `${gateway.wsUrl}/bridge/${exe_id}`;
  const expect = async (status: number, error: RegExp, token?: string) => {
    const answer = await handshake(
      url,
      token === undefined ? {} : {
        authorization: `Bearer ${token}`,
      },
    );
    assert.equal(answer.status, status);
    assert.match(JSON.parse(answer.body).error, error);
  };
  const past = { exp: Math.floor(Date.now() / 1000) - 1 };
  const turn_id = "turn_order";
  await expect(401, /missing capability token/);
  await expect(401, /malformed/, "garbage");
  const good = await gateway.capToken(exe_id, { turn_id });
  await expect(401, /malformed/, `${good}.x`);
  await expect(401, /bad capability token signature/, `${good.slice(0, -8)}AAAAAAAA`);
  await expect(401, /expired/, await gateway.capToken(exe_id, past));
  // Expired comes before forbidden, forbidden before revoked, revoked before not connected.
  await expect(401, /expired/, await gateway.capToken("exe_other", past));
  const revoked = await gateway.call("POST", "/api/exec-gateway/revoke-turn", { turn_id });
  assert.equal(revoked.status, 204);
  await expect(403, /does not allow/, await gateway.capToken("exe_other", { turn_id }));
  await expect(401, /revoked/, good);
  const fresh = await gateway.capToken(exe_id);
  await expect(503, /not connected/, fresh);

  await using _machine = await dialIn(gateway, executor);
  const plain = await fetch(`${gateway.url}/bridge/${exe_id}?token=${fresh}`);
  assert.equal(plain.status, 426);
  assert.equal(plain.headers.get("sec-websocket-version"), "13");
  await plain.body?.cancel();
  await using _held = await connect(`${url}?token=${fresh}`);
  const held = await fetch(`${gateway.url}/bridge/${exe_id}?token=${fresh}`);
  assert.equal(held.status, 409, "held comes before not a websocket");
  await held.body?.cancel();
});

gatewayTest("a capability token may name any number of executors", async (gateway) => {
  const [first, second] = [await gateway.createExecutor(), await gateway.createExecutor()];
  await using _one = await dialIn(gateway, first);
  await using _two = await dialIn(gateway, second);
  const token = await gateway.capToken(first.exe_id, {
    exe_ids: ["exe_else", first.exe_id, second.exe_id],
  });
  for (const { exe_id } of [first, second]) {
    await using _harness = await connect(`${gateway.wsUrl}/bridge/${exe_id}?token=${token}`);
  }
});

gatewayTest("a token of another secret, or of none, opens no bridge", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using _machine = await dialIn(gateway, executor);
  const claims = {
    turn_id: "t",
    workspace_id: "w",
    exe_ids: [executor.exe_id],
    iat: 0,
    exp: Math.floor(Date.now() / 1000) + 60,
  };
  const foreign = await mintCapabilityToken(claims, new TextEncoder().encode("another secret"));
  const encode = (value: unknown) =>
    new TextEncoder().encode(JSON.stringify(value))
      .toBase64({ alphabet: "base64url", omitPadding: true });
  const none = `${encode({ alg: "none", typ: "CXG" })}.${encode(claims)}.`;
  for (const token of [foreign, none, `${none}AAAA`]) {
    const answer = await handshake(`${gateway.wsUrl}/bridge/${executor.exe_id}?token=${token}`);
    assert.equal(answer.status, 401);
  }
});

gatewayTest("an executor is refused in the documented order", async (gateway) => {
  const executor = await gateway.createExecutor();
  const url = `${gateway.wsUrl}/codex-exec/${executor.exe_id}`;
  const missing = await handshake(url);
  assert.equal(missing.status, 400);
  assert.match(missing.body, /missing token/);
  const wrong = await handshake(`${url}?token=${"0".repeat(64)}`);
  const unknown = await handshake(
    `${gateway.wsUrl}/codex-exec/exe_none?token=${executor.registration_token}`,
  );
  assert.equal(wrong.status, 401);
  assert.deepEqual([unknown.status, unknown.body], [wrong.status, wrong.body], "the same answer");
  const capability = await handshake(`${url}?token=${await gateway.capToken(executor.exe_id)}`);
  assert.equal(capability.status, 401);
  const plain = await fetch(
    `${gateway.url}/codex-exec/${executor.exe_id}?token=${executor.registration_token}`,
  );
  assert.equal(plain.status, 426);
  await plain.body?.cancel();
  await using _header = await connect(url, {
    authorization: `Bearer ${executor.registration_token}`,
  });
  await untilConnected(gateway, executor.exe_id);
});

gatewayTest("codex 0.130 registers, and dials the URL that it is given", async (gateway) => {
  const executor = await gateway.createExecutor();
  const response = await register(gateway, executor.exe_id, executor.registration_token);
  assert.equal(response.status, 200);
  const { id, executor_id, environment_id, url } = await response.json();
  assert.deepEqual([id, executor_id, environment_id], Array(3).fill(executor.exe_id));
  assert.ok(url.startsWith(`${gateway.wsUrl}/codex-exec/${executor.exe_id}?token=`));
  assert.ok(!url.includes(executor.registration_token), "the token stays out of the URL");
  await using _machine = await connect(url);
  await untilConnected(gateway, executor.exe_id);
});

gatewayTest("the URL's base follows the proxy's word, or the configuration", async (gateway) => {
  const executor = await gateway.createExecutor();
  const { exe_id, registration_token } = executor;
  const secure = await register(gateway, exe_id, registration_token, {
    "x-forwarded-proto": "https",
  });
  assert.match((await secure.json()).url, /^wss:\/\/127\.0\.0\.1:/);
});

gatewayTest("the configured public base wins", async (gateway) => {
  const executor = await gateway.createExecutor();
  const response = await register(gateway, executor.exe_id, executor.registration_token);
  const { url } = await response.json();
  assert.ok(url.startsWith(`wss://gateway.example:443/path/codex-exec/${executor.exe_id}?token=`));
}, { publicWsBaseUrl: "wss://gateway.example:443/path" });

gatewayTest(
  "a ticket opens its own executor only, and dies with it",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    const other = await gateway.createExecutor();
    const ticketOf = async () => {
      const response = await register(gateway, executor.exe_id, executor.registration_token);
      return new URL((await response.json()).url).searchParams.get("token")!;
    };
    const dial = async (exeId: string, ticket: string) =>
      (await handshake(`${gateway.wsUrl}/codex-exec/${exeId}?token=${ticket}`)).status;
    const first = await ticketOf();
    assert.equal(await dial(executor.exe_id, first), 101);
    assert.equal(await dial(other.exe_id, first), 401);
    assert.equal(await dial(executor.exe_id, `${first.slice(0, -6)}AAAAAA`), 401);
    assert.equal(await dial(executor.exe_id, "cxgx."), 401);
    assert.equal(await dial(executor.exe_id, "cxgx.a.b"), 401);
    const bridge = await handshake(`${gateway.wsUrl}/bridge/${executor.exe_id}?token=${first}`);
    assert.equal(bridge.status, 401);
    const second = await ticketOf();
    assert.equal(await dial(executor.exe_id, second), 101);
    assert.equal(await dial(executor.exe_id, first), 101, "the newer one may never be dialled by");
    const removed = await gateway.call("DELETE", `/api/codex-exec/executors/${executor.exe_id}`);
    assert.equal(removed.status, 204);
    assert.equal(await dial(executor.exe_id, first), 401);
    assert.equal(await dial(executor.exe_id, second), 401);
  },
);

gatewayTest("a register call is refused in the shape that codex prints", async (gateway) => {
  const executor = await gateway.createExecutor();
  const missing = await fetch(`${gateway.url}/cloud/executor/${executor.exe_id}/register`, {
    method: "POST",
  });
  assert.equal(missing.status, 401);
  const { error } = await missing.json();
  assert.deepEqual(Object.keys(error), ["code", "message"]);
  assert.equal(error.code, "unauthorized");
  assert.match(error.message, /^missing registration token; start codex exec-server/);
  const wrong = await register(gateway, executor.exe_id, "wrong");
  const unknown = await register(gateway, "exe_none", executor.registration_token);
  assert.equal(wrong.status, 401);
  assert.equal(unknown.status, 401);
  assert.deepEqual(await wrong.json(), await unknown.json());
});

function register(
  gateway: TestGateway,
  exeId: string,
  token: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${gateway.url}/cloud/executor/${exeId}/register`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, ...headers },
    body: JSON.stringify({ idempotency_id: crypto.randomUUID(), name: "a box" }),
  });
}
