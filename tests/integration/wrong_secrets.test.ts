import assert from "node:assert/strict";
import { SECRETS, switchboardTest, type TestGateway } from "../support/gateway.ts";
import { CapturedLogs } from "../support/logs.ts";

/** Behind a proxy, so that a test can come from any address. */
const PROXIED = { trustedProxies: ["127.0.0.1"] };

switchboardTest("wrong internal secrets are limited by address", async (gateway) => {
  const paths = [
    "/metrics",
    "/api/exec-gateway/connected?workspace_id=ws_test",
    "/api/codex-exec/workspaces/ws_test/executors",
  ];
  const wrong = { "x-internal-secret": `${SECRETS.shared}x` };
  for (let i = 0; i < 10; i++) {
    assert.equal((await ask(gateway, paths[i % 3]!, "192.0.2.1", wrong)).status, 401);
  }
  const refused = await ask(gateway, paths[0]!, "192.0.2.1", wrong);
  assert.equal(refused.status, 429);
  assert(Number(refused.headers.get("retry-after")) > 0);
  // Neither others, nor the right one, nor who sends none.
  assert.equal((await ask(gateway, paths[0]!, "192.0.2.2", wrong)).status, 401);
  assert.equal((await ask(gateway, paths[0]!, "192.0.2.1", {})).status, 401);
  const right = { "x-internal-secret": SECRETS.shared };
  assert.equal((await ask(gateway, paths[0]!, "192.0.2.1", right)).status, 200);
}, PROXIED);

switchboardTest("the right secret beside somebody else's is right", async (gateway) => {
  using logs = new CapturedLogs();
  for (let i = 0; i < 20; i++) {
    const both = { "x-internal-secret": SECRETS.shared, authorization: "Bearer a-proxy's" };
    assert.equal((await ask(gateway, "/metrics", "192.0.2.1", both)).status, 200);
  }
  assert.equal(logs.fieldsOf("refused"), undefined);
}, PROXIED);

async function ask(
  gateway: TestGateway,
  path: string,
  address: string,
  headers: Record<string, string>,
): Promise<Response> {
  const response = await fetch(gateway.url + path, {
    headers: { ...headers, "x-forwarded-for": address },
  });
  await response.body?.cancel();
  return response;
}
