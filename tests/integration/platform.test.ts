/**
 * What the original's callers send, and are answered (shared facts: the platform, the app gateway).
 *
 * @module
 */
import assert from "node:assert/strict";
import { dialIn, untilConnected } from "../support/exclusive.ts";
import { gatewayTest, SECRETS, type TestGateway } from "../support/gateway.ts";
import { connectOk, NOISE_REGISTRATION, register, validate } from "../support/relay.ts";
import { DIRECT_BODY, registerDirect } from "../support/signed.ts";
import { connect, handshake } from "../support/websocket.ts";

const DAY_S = 86_400;

gatewayTest("a turn stays revoked for as long as a token of it could live", async (gateway) => {
  const { exe_id } = await gateway.createExecutor();
  const soon = Math.floor(Date.now() / 1000) + 7 * DAY_S;
  // As the app gateway sends it: without exp, and with a typed client's 0; and shorter than a token lives.
  for (const [i, exp] of [undefined, null, 0, 1, soon - 6 * DAY_S].entries()) {
    const turn_id = `turn_${i}`;
    const answer = await gateway.call("POST", "/api/exec-gateway/revoke-turn", { turn_id, exp }, {
      prefer: "return=representation",
    });
    assert.equal(answer.status, 200);
    const { revoked_until, ...rest } = await answer.json();
    assert.deepEqual(rest, { turn_id, bridges_ended: 0 });
    assert.ok(revoked_until >= soon, `${exp} is kept until ${revoked_until}`);
    const token = await gateway.capToken(exe_id, { turn_id, exp: soon });
    assert.match((await bridge(gateway, exe_id, token)).body, /revoked/);
  }
});

gatewayTest(
  "a token lives for the longest time at most, and its exp is in seconds",
  async (gateway) => {
    const { exe_id } = await gateway.createExecutor();
    const now = Math.floor(Date.now() / 1000);
    for (
      const [exp, refusal] of [[now + 8 * DAY_S, /at most 7d/], [
        now * 1000,
        /milliseconds/,
      ]] as const
    ) {
      const { status, body } = await bridge(
        gateway,
        exe_id,
        await gateway.capToken(exe_id, { exp }),
      );
      assert.equal(status, 401);
      assert.match(body, refusal);
    }
  },
);

for (const exe_ids of [undefined, null, []]) {
  const claims = { exe_ids } as unknown as { exe_ids: string[] };
  const what = `a token whose exe_ids are ${JSON.stringify(exe_ids) ?? "absent"}`;

  gatewayTest(`${what} reaches nothing`, async (gateway) => {
    const { exe_id } = await gateway.createExecutor();
    const { status, body } = await bridge(gateway, exe_id, await gateway.capToken(exe_id, claims));
    assert.equal(status, 403, body);
  });

  gatewayTest(
    `${what} reaches its workspace's executors, where that is wanted`,
    async (gateway) => {
      const executor = await gateway.createExecutor();
      const other = await gateway.createExecutor("ws_other");
      await using _machine = await dialIn(gateway, executor);
      const token = await gateway.capToken(executor.exe_id, claims);
      {
        await using _harness = await connect(
          `${gateway.wsUrl}/bridge/${executor.exe_id}?token=${token}`,
        );
      }
      assert.equal((await bridge(gateway, other.exe_id, token)).status, 403);
      const nowhere = await gateway.capToken(executor.exe_id, { ...claims, workspace_id: "" });
      assert.equal((await bridge(gateway, executor.exe_id, nowhere)).status, 403);
      const path = `/api/codex-exec/workspaces/ws_test/executors/${executor.exe_id}`;
      assert.equal((await gateway.call("DELETE", path)).status, 204);
      assert.equal((await bridge(gateway, executor.exe_id, token)).status, 403, "it is unbound");
    },
    { workspaceTokens: true },
  );
}

gatewayTest("connected takes a capability token for its own workspace", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using _machine = await dialIn(gateway, executor);
  const ask = async (workspace: string, token: string) => {
    const answer = await fetch(
      `${gateway.url}/api/exec-gateway/connected?workspace_id=${workspace}`,
      { headers: { authorization: `Bearer ${token}` } },
    );
    return { status: answer.status, body: await answer.json() };
  };
  const token = await gateway.capToken(executor.exe_id, { turn_id: "turn_asks" });
  const { status, body } = await ask("ws_test", token);
  assert.equal(status, 200);
  assert.deepEqual(
    body.map(({ exe_id, name, is_online }: Record<string, unknown>) => [exe_id, name, is_online]),
    [[executor.exe_id, "", true]],
  );
  assert.equal((await ask("ws_other", token)).status, 403);
  assert.equal((await ask("ws_test", `${token.slice(0, -8)}AAAAAAAA`)).status, 401);
  assert.equal((await ask("ws_test", await gateway.capToken("exe_x", { exp: 1 }))).status, 401);
  await gateway.call("POST", "/api/exec-gateway/revoke-turn", { turn_id: "turn_asks" });
  assert.equal((await ask("ws_test", token)).status, 401);
});

gatewayTest("a good secret beside a foreign one is judged by itself", async (gateway) => {
  const url = `${gateway.url}/api/exec-gateway/connected?workspace_id=ws_test`;
  const status = async (headers: Record<string, string>) => {
    const answer = await fetch(url, { headers });
    await answer.body?.cancel();
    return answer.status;
  };
  const [right, wrong] = [SECRETS.shared, "of-somebody-else"];
  assert.equal(await status({ authorization: `Bearer ${right}`, "x-internal-secret": wrong }), 200);
  assert.equal(await status({ authorization: `Bearer ${wrong}`, "x-internal-secret": right }), 200);
  assert.equal(await status({ authorization: `Bearer a.b.c`, "x-internal-secret": right }), 200);
  assert.equal(await status({ authorization: `Bearer ${wrong}`, "x-internal-secret": wrong }), 401);
});

gatewayTest("the bodies that the original's callers send are taken", async (gateway) => {
  const user = { "x-user-id": "user_1" };
  const register = { display_name: "laptop", description: "", default_cwd: "/" };
  const created = await gateway.call("POST", "/api/codex-exec/register", register, user);
  assert.equal(created.status, 201);
  const { exe_id } = await created.json();
  const bindings = "/api/codex-exec/workspaces/ws_test/executors";
  const bindingsOfLater = { exe_id, is_default: false, name: "laptop", description: "a laptop" };
  const bearer = { authorization: `Bearer ${SECRETS.shared}` };
  for (
    const [path, body, status] of [
      [bindings, { exe_id, is_default: true }, 201],
      [bindings, bindingsOfLater, 201],
      ["/api/exec-gateway/revoke-turn", { turn_id: "t" }, 204],
      ["/api/exec-gateway/revoke-turn", { turn_id: "t", exp: 0 }, 204],
    ] as const
  ) {
    const answer = await gateway.call("POST", path, body, bearer);
    assert.equal(answer.status, status, await answer.text());
  }
});

gatewayTest("codex may send what this gateway does not know", async (gateway) => {
  const executor = await gateway.createExecutor("ws_test", { direct: true });
  const more = { of_a_later_release: { a: 1 } };
  const { url } = await register(gateway, executor, { ...NOISE_REGISTRATION, ...more });
  await using _machine = await connect(url);
  await untilConnected(gateway, executor.exe_id);
  const bundle = await connectOk(gateway, executor, {}, more);
  assert.equal(await validate(gateway, executor, bundle, more), true);
  const body = JSON.stringify({ ...JSON.parse(DIRECT_BODY), ...more });
  assert.equal((await registerDirect(gateway, executor, { body })).status, 200);
});

gatewayTest("X-User-Id is UTF-8", async (gateway) => {
  const register = async (userId: string) => {
    const answer = await gateway.call("POST", "/api/codex-exec/register", { display_name: "né" }, {
      "x-user-id": userId,
    });
    return { status: answer.status, body: await answer.json() };
  };
  const latin1 = (text: string) => String.fromCharCode(...new TextEncoder().encode(text));
  assert.equal((await register(latin1("Zoë 漢"))).status, 201);
  const { status, body } = await register("Zo\xeb");
  assert.deepEqual([status, body], [400, { error: "X-User-Id must be UTF-8" }]);
});

/** What a bridge that is asked for with a token is answered. */
function bridge(gateway: TestGateway, exeId: string, token: string) {
  return handshake(`${gateway.wsUrl}/bridge/${exeId}?token=${token}`);
}
