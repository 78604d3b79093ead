/**
 * The internal endpoints on a port of their own: nothing of them on the public one, and nothing else on theirs.
 *
 * @module
 */
import assert from "node:assert/strict";
import { ListenError } from "../../src/ports.ts";
import { onAnyDatabase } from "../support/databases.ts";
import { dialIn, greet, openBridge } from "../support/exclusive.ts";
import { SECRETS, startGateway, switchboardTest, type TestGateway } from "../support/gateway.ts";
import { freePort } from "../support/free_port.ts";
import { fetchFrom } from "../support/trust.ts";
import { handshake } from "../support/websocket.ts";

const internal = { host: "127.0.0.1", port: 0 };

const PROBES = ["/healthz", "/readyz"];
const PUBLIC = [
  "/bridge/exe_1",
  "/codex-exec/exe_1",
  "/cloud/executor/exe_1/register",
  "/cloud/environment/exe_1/register",
  "/cloud/environment/exe_1/direct/register",
  "/cloud/environment/exe_1/connect",
  "/cloud/environment/exe_1/validate",
];
const INTERNAL = [
  "/metrics",
  "/api/exec-gateway/connected?workspace_id=ws_test",
  "/api/exec-gateway/revoke-turn",
  "/api/exec-gateway/revoke-workspace",
  "/api/codex-exec/register",
  "/api/codex-exec/status",
  "/api/codex-exec/executors",
  "/api/codex-exec/executors/exe_1",
  "/api/codex-exec/executors/exe_1/registration-token",
  "/api/codex-exec/workspaces/ws_test/executors",
  "/api/codex-exec/workspaces/ws_test/executors/exe_1",
];

for (const tls of [undefined, "self-signed"] as const) {
  const over = tls === undefined ? "" : ", over TLS";
  switchboardTest(`each port has its own endpoints and no other${over}`, async (gateway) => {
    const at = (base: string) => (path: string) => statuses(base, path);
    const [onPublic, onInternal] = [at(gateway.url), at(gateway.internalUrl)];
    assert.notEqual(gateway.url, gateway.internalUrl);
    for (const path of PROBES) {
      assert.equal((await onPublic(path)).GET, 200, path);
      assert.equal((await onInternal(path)).GET, 200, path);
    }
    for (const path of INTERNAL) {
      assert.deepEqual(new Set(Object.values(await onPublic(path))), new Set([404]), path);
      assert.ok(!Object.values(await onInternal(path)).every((status) => status === 404), path);
    }
    for (const path of PUBLIC) {
      assert.ok(!Object.values(await onPublic(path)).every((status) => status === 404), path);
      assert.deepEqual(new Set(Object.values(await onInternal(path))), new Set([404]), path);
    }
    for (const path of ["/", "/console", "/console/", "/api", "/metrics/", "/apix"]) {
      assert.equal((await onPublic(path)).GET, 404, path);
      assert.equal((await onInternal(path)).GET, 404, path);
    }
    await bridge(gateway);
  }, { internal, tls });
}

switchboardTest("a websocket at the internal port joins nobody", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using _machine = await dialIn(gateway, executor);
  const base = gateway.internalUrl.replace("http", "ws");
  const bearer = async () => `Bearer ${await gateway.capToken(executor.exe_id)}`;
  const url = `/bridge/${executor.exe_id}`;
  assert.equal((await handshake(base + url, { authorization: await bearer() })).status, 404);
  assert.equal(
    (await handshake(gateway.wsUrl + url, { authorization: await bearer() })).status,
    101,
  );
}, { internal });

onAnyDatabase(
  "without a port of their own all endpoints are on the one there is",
  async (store) => {
    await using gateway = await startGateway(store);
    for (const path of ["/api/codex-exec/status", "/metrics", "/readyz"]) {
      assert.equal((await statuses(gateway.url, path)).GET, 200, path);
    }
  },
);

onAnyDatabase(
  "both ports are closed when it has stopped, and both or none are taken",
  async (store) => {
    const [port, inner] = [freePort(), freePort()];
    const options = { port, internal: { host: "127.0.0.1", port: inner } };
    for (const taken of [port, inner]) {
      using _other = Deno.listen({ hostname: "127.0.0.1", port: taken });
      await assert.rejects(startGateway(store, options), (error) => {
        assert.ok(error instanceof ListenError);
        const variable = taken === port ? "CXG_PORT" : "CXG_INTERNAL_PORT";
        assert.match(
          error.message,
          new RegExp(`^127\\.0\\.0\\.1:${taken} is taken.*see ${variable} `),
        );
        return true;
      });
    }
    {
      await using gateway = await startGateway(store, options);
      await bridge(gateway);
    }
    for (const each of [port, inner]) {
      await assert.rejects(
        Deno.connect({ hostname: "127.0.0.1", port: each }),
        Deno.errors.ConnectionRefused,
      );
    }
  },
);

async function bridge(gateway: TestGateway): Promise<void> {
  const executor = await gateway.createExecutor();
  await using machine = await dialIn(gateway, executor);
  await using harness = await openBridge(gateway, executor.exe_id);
  await greet(harness, machine);
}

/** What each method is answered with, with the secret of the path. */
async function statuses(base: string, path: string): Promise<Record<string, number>> {
  const secret = path.startsWith("/api/codex-exec/") ? SECRETS.internal : SECRETS.shared;
  const answers: Record<string, number> = {};
  for (const method of ["GET", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"]) {
    const response = await fetchFrom(base + path, {
      method,
      headers: { "x-internal-secret": secret },
      body: method === "POST" || method === "PATCH" ? "{}" : undefined,
    });
    await response.body?.cancel();
    answers[method] = response.status;
  }
  return answers;
}
