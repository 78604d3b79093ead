import assert from "node:assert/strict";
import { dialIn, untilGone } from "../support/exclusive.ts";
import { gatewayTest, type TestGateway } from "../support/gateway.ts";
import { handshake } from "../support/websocket.ts";

async function call(gateway: TestGateway, method: string, path: string, body?: unknown) {
  const answer = await gateway.call(method, `/api/codex-exec${path}`, body);
  return { status: answer.status, body: await answer.json() };
}

gatewayTest("every executor is listed with its workspaces and its connection", async (gateway) => {
  assert.deepEqual(await call(gateway, "GET", "/executors"), { status: 200, body: [] });
  const one = await gateway.createExecutor();
  const two = await gateway.createExecutor("ws_1");
  await gateway.call("POST", "/api/codex-exec/workspaces/ws_2/executors", {
    exe_id: two.exe_id,
    is_default: true,
  }).then((answer) => answer.body?.cancel());
  await using _machine = await dialIn(gateway, { ...one });
  const { body } = await call(gateway, "GET", "/executors");
  assert.deepEqual(body.map(({ exe_id }: { exe_id: string }) => exe_id), [one.exe_id, two.exe_id]);
  const [{ connected, kind, remote, bridges, connected_since }, second] = body;
  assert.deepEqual([connected, kind, remote, bridges], [true, "exclusive", "127.0.0.1", 0]);
  assert.ok(Date.parse(connected_since) <= Date.now());
  assert.equal(second.connected, false);
  assert.deepEqual(second.workspaces, [
    { workspace_id: "ws_1", is_default: false },
    { workspace_id: "ws_2", is_default: true },
  ]);
  const shown = await call(gateway, "GET", `/executors/${two.exe_id}`);
  assert.deepEqual(shown, { status: 200, body: second });
  assert.deepEqual(await call(gateway, "GET", "/executors/exe_none"), {
    status: 404,
    body: { error: "there is no executor exe_none" },
  });
});

gatewayTest("what is given of an executor is changed, and nothing else", async (gateway) => {
  const { exe_id } = await gateway.createExecutor();
  const changed = await call(gateway, "PATCH", `/executors/${exe_id}`, { display_name: "laptop" });
  assert.deepEqual([changed.body.name, changed.body.description], ["laptop", "a box"]);
  const again = await call(gateway, "PATCH", `/executors/${exe_id}`, { description: "" });
  assert.deepEqual([again.body.name, again.body.description], ["laptop", ""]);
  assert.equal(
    (await call(gateway, "PATCH", `/executors/${exe_id}`, { display_name: 1 })).status,
    400,
  );
  assert.equal((await call(gateway, "PATCH", "/executors/exe_none", {})).status, 404);
});

gatewayTest(
  "a new registration token ends the old one, and who is connected by it",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialIn(gateway, executor);
    const path = `/executors/${executor.exe_id}/registration-token`;
    const { status, body } = await call(gateway, "POST", path);
    assert.equal(status, 200);
    assert.match(body.registration_token, /^[0-9a-f]{64}$/);
    assert.deepEqual(await machine.closed, {
      code: 1008,
      reason: "the registration token was replaced",
    });
    await untilGone(gateway, executor.exe_id);
    const old =
      `${gateway.wsUrl}/codex-exec/${executor.exe_id}?token=${executor.registration_token}`;
    assert.equal((await handshake(old)).status, 401);
    await using _again = await dialIn(gateway, { ...executor, ...body });
    assert.equal(
      (await call(gateway, "POST", "/executors/exe_none/registration-token")).status,
      404,
    );
  },
);

gatewayTest("the status tells what runs, and what is connected", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using _machine = await dialIn(gateway, executor);
  const { status, body } = await call(gateway, "GET", "/status");
  assert.equal(status, 200);
  assert.deepEqual([body.executors_connected, body.bridges, body.database_answers], [1, 0, true]);
});
