import assert from "node:assert/strict";
import { dialIn, untilGone } from "../support/exclusive.ts";
import { gatewayTest, SECRETS, type TestGateway } from "../support/gateway.ts";
import { handshake, until } from "../support/websocket.ts";

const RFC3339_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

gatewayTest("health and readiness", async (gateway) => {
  const health = await fetch(`${gateway.url}/healthz`);
  assert.equal(health.status, 200);
  assert.equal(await health.text(), "ok");
  const ready = await fetch(`${gateway.url}/readyz`);
  assert.equal(ready.status, 200);
  await ready.body?.cancel();
});

gatewayTest(
  "an executor's life: created, bound, listed, connected, unbound, removed",
  async (gateway) => {
    const created = await gateway.call("POST", "/api/codex-exec/register", {
      display_name: "laptop",
      description: "a laptop\nwith two lines",
      default_cwd: "/home/me",
    }, { "x-user-id": "user_1" });
    assert.equal(created.status, 201);
    const executor = await created.json();
    assert.deepEqual(Object.keys(executor).sort(), ["exe_id", "registration_token"]);
    assert.match(executor.exe_id, /^exe_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.match(executor.registration_token, /^[0-9a-f]{64}$/);

    const path = "/api/codex-exec/workspaces/ws_test/executors";
    assert.deepEqual(await json(gateway, "GET", path), [200, []]);
    assert.deepEqual(
      await json(gateway, "GET", "/api/exec-gateway/connected?workspace_id=ws_test"),
      [200, []],
    );

    const bind = { exe_id: executor.exe_id, is_default: true };
    assert.deepEqual(await json(gateway, "POST", path, bind), [201, { status: "ok" }]);
    const listed = {
      exe_id: executor.exe_id,
      name: "laptop",
      description: "a laptop\nwith two lines",
      default_cwd: "/home/me",
      is_default: true,
    };
    assert.deepEqual(await json(gateway, "GET", path), [200, [{
      ...listed,
      connected: false,
      is_online: false,
    }]]);

    const other = await gateway.createExecutor("ws_test");
    await using _machine = await dialIn(gateway, executor);
    await until("last_seen_at is set at connect", async () => {
      const [, [first]] = await json(gateway, "GET", path) as [number, Record<string, unknown>[]];
      return first!.last_seen_at !== undefined;
    });
    const [, [first, second, ...rest]] = await json(gateway, "GET", path) as [
      number,
      Record<string, unknown>[],
    ];
    assert.match(String(first!.last_seen_at), RFC3339_UTC);
    assert.deepEqual(first, {
      ...listed,
      connected: true,
      is_online: true,
      kind: "exclusive",
      last_seen_at: first!.last_seen_at,
    });
    assert.equal(second!.exe_id, other.exe_id);
    assert.equal(second!.connected, false);
    assert.deepEqual(rest, []);
    assert.deepEqual(
      await json(gateway, "GET", "/api/exec-gateway/connected?workspace_id=ws_test"),
      [200, [{ ...listed, is_online: true, last_seen_at: first!.last_seen_at }]],
    );

    const unbound = await gateway.call("DELETE", `${path}/${other.exe_id}`);
    assert.equal(unbound.status, 204);
    const unboundAgain = await gateway.call("DELETE", `${path}/${other.exe_id}`);
    assert.equal(unboundAgain.status, 204);
    for (let i = 0; i < 2; i++) {
      const removed = await gateway.call("DELETE", `/api/codex-exec/executors/${executor.exe_id}`);
      assert.equal(removed.status, 204, "also when absent");
    }
    assert.deepEqual(await json(gateway, "GET", path), [200, []]);
    const redial = await handshake(
      `${gateway.wsUrl}/codex-exec/${executor.exe_id}?token=${executor.registration_token}`,
    );
    assert.equal(redial.status, 401);
  },
);

gatewayTest("last_seen_at moves on when an executor disconnects", async (gateway) => {
  const executor = await gateway.createExecutor();
  const path = "/api/codex-exec/workspaces/ws_test/executors";
  const lastSeen = async () => {
    const [, [first]] = await json(gateway, "GET", path) as [number, { last_seen_at?: string }[]];
    return first!.last_seen_at;
  };
  const machine = await dialIn(gateway, executor);
  await until("it is set at connect", async () => await lastSeen() !== undefined);
  const atConnect = await lastSeen();
  machine.close();
  await untilGone(gateway, executor.exe_id);
  await until("it moves at disconnect", async () => await lastSeen() !== atConnect);
});

gatewayTest("a revoked turn opens no bridge; another turn does", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using _machine = await dialIn(gateway, executor);
  const url = `${gateway.wsUrl}/bridge/${executor.exe_id}`;
  const token = await gateway.capToken(executor.exe_id, { turn_id: "turn_revoked" });
  const revoked = await gateway.call("POST", "/api/exec-gateway/revoke-turn", {
    turn_id: "turn_revoked",
    exp: Math.floor(Date.now() / 1000) + 60,
  });
  assert.equal(revoked.status, 204);
  const refused = await handshake(`${url}?token=${token}`);
  assert.equal(refused.status, 401);
  assert.match(refused.body, /revoked/);
  const other = await gateway.capToken(executor.exe_id);
  assert.equal((await handshake(`${url}?token=${other}`)).status, 101);
});

gatewayTest(
  "the internal API takes its own secrets, in either header, and nothing else",
  async (gateway) => {
    const endpoints = [
      ["POST", "/api/codex-exec/register", SECRETS.internal],
      ["DELETE", "/api/codex-exec/executors/exe_x", SECRETS.internal],
      ["POST", "/api/codex-exec/workspaces/ws_test/executors", SECRETS.internal],
      ["GET", "/api/codex-exec/workspaces/ws_test/executors", SECRETS.internal],
      ["DELETE", "/api/codex-exec/workspaces/ws_test/executors/exe_x", SECRETS.internal],
      ["GET", "/api/exec-gateway/connected?workspace_id=ws_test", SECRETS.shared],
      ["POST", "/api/exec-gateway/revoke-turn", SECRETS.shared],
    ] as const;
    let asked = 0;
    for (const [method, path, secret] of endpoints) {
      const other = secret === SECRETS.shared ? SECRETS.internal : SECRETS.shared;
      const refused: Record<string, string>[] = [
        {},
        { "x-internal-secret": "" },
        { "x-internal-secret": other },
        { "x-internal-secret": `${secret}x` },
        { "x-internal-secret": secret.slice(0, -1) },
        { authorization: `Bearer ${other}` },
        { authorization: `Basic ${secret}` },
        { authorization: "Bearer " },
      ];
      for (const headers of refused) {
        // Each from an address of its own: wrong ones are limited by that.
        const from = { "x-forwarded-for": `192.0.2.${++asked}` };
        const response = await fetch(gateway.url + path, {
          method,
          headers: { ...headers, ...from },
        });
        assert.equal(response.status, 401, `${method} ${path} with ${JSON.stringify(headers)}`);
        assert.deepEqual(await response.json(), { error: "missing or wrong internal secret" });
      }
      const accepted: Record<string, string>[] = [
        { "x-internal-secret": secret },
        { authorization: `Bearer ${secret}` },
      ];
      for (const headers of accepted) {
        const response = await fetch(gateway.url + path, {
          method,
          headers: { ...headers, "x-user-id": "user_1" },
        });
        assert.notEqual(response.status, 401, `${method} ${path}`);
        await response.body?.cancel();
      }
    }
  },
  { trustedProxies: ["127.0.0.1"] },
);

gatewayTest("bad input to the API is refused with what is wrong", async (gateway) => {
  const register = (body: unknown, headers = { "x-user-id": "user_1" }) =>
    refusal(gateway, "POST", "/api/codex-exec/register", body, headers);
  const bindPath = "/api/codex-exec/workspaces/ws_test/executors";
  const revokePath = "/api/exec-gateway/revoke-turn";

  assert.deepEqual(await register("{"), [400, "the body is not valid JSON"]);
  assert.deepEqual(await register("[]"), [400, "the body must be a JSON object"]);
  assert.deepEqual(await register("null"), [400, "the body must be a JSON object"]);
  assert.deepEqual(await register({ display_name: 1 }), [400, "display_name must be a string"]);
  assert.deepEqual(await register({ description: ["a"] }), [400, "description must be a string"]);
  assert.deepEqual(await register({ default_cwd: {} }), [400, "default_cwd must be a string"]);
  assert.deepEqual(await register({ display_name: "a\u0000b" }), [
    400,
    "display_name must not have control characters",
  ]);
  assert.deepEqual(await register('{"display_name":"\\ud800"}'), [
    400,
    "display_name must not have control characters",
  ]);
  assert.deepEqual(await register({ display_name: "x".repeat(257) }), [
    400,
    "display_name must be at most 256 characters",
  ]);
  assert.deepEqual(await register({ description: "x".repeat(64 * 1024) }), [
    413,
    "the body must be at most 65536 bytes",
  ]);
  assert.deepEqual(
    await refusal(gateway, "POST", "/api/codex-exec/register", {}),
    [401, "missing user"],
  );

  assert.deepEqual(await refusal(gateway, "POST", bindPath, {}), [400, "exe_id is required"]);
  assert.deepEqual(await refusal(gateway, "POST", bindPath, { exe_id: 7 }), [
    400,
    "exe_id must be a string",
  ]);
  assert.deepEqual(await refusal(gateway, "POST", bindPath, { exe_id: "exe_none" }), [
    404,
    "there is no executor exe_none",
  ]);
  assert.deepEqual(
    await refusal(gateway, "POST", bindPath, { exe_id: "exe_none", is_default: "yes" }),
    [400, "is_default must be true or false"],
  );

  for (const exp of ["1", 1.5, 1e300, true, {}]) {
    assert.deepEqual(await refusal(gateway, "POST", revokePath, { turn_id: "t", exp }), [
      400,
      "exp must be whole unix seconds",
    ]);
  }
  assert.deepEqual(await refusal(gateway, "POST", revokePath, {}), [400, "turn_id is required"]);
  assert.deepEqual(await refusal(gateway, "GET", "/api/exec-gateway/connected"), [
    400,
    "workspace_id is required",
  ]);
});

gatewayTest("a key of a body that there is not is refused, with the nearest", async (gateway) => {
  const { exe_id } = await gateway.createExecutor();
  const executor = `/api/codex-exec/executors/${exe_id}`;
  const bindings = "/api/codex-exec/workspaces/ws_test/executors";
  const calls: readonly [method: string, path: string, body: object, error: RegExp][] = [
    [
      "POST",
      "/api/codex-exec/register",
      { displayname: "a" },
      /"displayname"; did you mean display_name\?/,
    ],
    ["PATCH", executor, { default_cwt: "/" }, /"default_cwt"; did you mean default_cwd\?/],
    [
      "PATCH",
      executor,
      { colour: "" },
      /"colour"; it takes display_name, description, default_cwd$/,
    ],
    ["POST", `${executor}/registration-token`, { dircet: true }, /"dircet"; did you mean direct\?/],
    ["POST", bindings, { exe_id, is_defualt: true }, /"is_defualt"; did you mean is_default\?/],
    ["POST", "/api/exec-gateway/revoke-turn", { turn_id: "t", expires: 1 }, /"expires"; /],
    [
      "POST",
      "/api/exec-gateway/revoke-workspace",
      { workspace: "w" },
      /did you mean workspace_id\?/,
    ],
    ["PATCH", executor, JSON.parse('{"__proto__": 1}'), /unknown key "__proto__"/],
    ["PATCH", executor, { ["x".repeat(60_000)]: 1 }, /unknown key "x{47}…"; it takes/],
  ];
  for (const [method, path, body, error] of calls) {
    const [status, text] = await refusal(gateway, method, path, body, { "x-user-id": "user_1" });
    assert.equal(status, 400, path);
    assert.match(text as string, error);
  }
});

gatewayTest(
  "a body over the limit is refused also when its length is not declared",
  async (gateway) => {
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 16_384;
        if (sent > 10_000_000) controller.close();
        else controller.enqueue(new Uint8Array(16_384).fill(0x20));
      },
    });
    const response = await fetch(`${gateway.url}/api/codex-exec/register`, {
      method: "POST",
      headers: { "x-internal-secret": SECRETS.internal, "x-user-id": "user_1" },
      body: endless,
    });
    assert.equal(response.status, 413);
    await response.body?.cancel();
  },
);

gatewayTest("bad ids in paths are refused, and none is a server error", async (gateway) => {
  const long = "x".repeat(129);
  const ids: [string, number][] = [
    [long, 400],
    ["a%00b", 400],
    ["a%0Ab", 400],
    ["a%20b", 400],
    ["%F0%9F", 400],
    ["%", 400],
    ["%2e%2e%2fpasswd", 400],
    ["exe%5Fnone", 204],
    ["a%2Fb", 204],
  ];
  for (const [id, status] of ids) {
    const response = await gateway.call("DELETE", `/api/codex-exec/executors/${id}`);
    assert.equal(response.status, status, id);
    await response.body?.cancel();
    const cap = await gateway.capToken("exe_real");
    const bridge = await handshake(`${gateway.wsUrl}/bridge/${id}?token=${cap}`);
    assert.ok([400, 403].includes(bridge.status), `bridge ${id}: ${bridge.status}`);
    const dial = await handshake(`${gateway.wsUrl}/codex-exec/${id}?token=wrong`);
    assert.ok([400, 401].includes(dial.status), `codex-exec ${id}: ${dial.status}`);
  }
  for (
    const path of ["/bridge/", "/codex-exec/", "/bridge/a/b", "/api/codex-exec/executors/", "/"]
  ) {
    const [status] = await refusal(gateway, "GET", path);
    assert.equal(status, 404, path);
  }
});

gatewayTest("unknown paths are 404, wrong methods 405 with Allow", async (gateway) => {
  assert.deepEqual(await refusal(gateway, "GET", "/nothing"), [
    404,
    "there is nothing at this path",
  ]);
  const wrong = await gateway.call("PUT", "/api/codex-exec/workspaces/ws_test/executors", {});
  assert.equal(wrong.status, 405);
  assert.deepEqual(wrong.headers.get("allow")?.split(", ").sort(), ["GET", "HEAD", "POST"]);
  await wrong.body?.cancel();
});

async function json(
  gateway: TestGateway,
  method: string,
  path: string,
  body?: unknown,
): Promise<[number, unknown]> {
  const response = await gateway.call(method, path, body);
  return [response.status, await response.json()];
}

async function refusal(
  gateway: TestGateway,
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
): Promise<[number, string]> {
  const response = await gateway.call(method, path, body, headers);
  return [response.status, (await response.json()).error];
}
