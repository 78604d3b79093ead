import assert from "node:assert/strict";
import { ROUTES } from "../../src/routes.ts";
import { dialIn } from "../support/exclusive.ts";
import { SECRETS, switchboardTest } from "../support/gateway.ts";
import { handshake } from "../support/websocket.ts";

const ORIGIN = "https://elsewhere.example";

switchboardTest("no answer sets a cookie or lets another origin read it", async (gateway) => {
  const executor = await gateway.createExecutor();
  const credentials: Record<string, Record<string, string>> = {
    none: {},
    internal: { "x-internal-secret": SECRETS.internal, "x-user-id": "u" },
    shared: { "x-internal-secret": SECRETS.shared },
    executor: { authorization: `Bearer ${executor.registration_token}` },
    harness: { authorization: `Bearer ${await gateway.capToken(executor.exe_id)}` },
  };
  const statuses = new Set<number>();
  for (const { method, path } of ROUTES) {
    const target = path.replace(":exe_id", executor.exe_id).replace(":wid", "ws_test");
    for (const headers of Object.values(credentials)) {
      for (const verb of [method, "OPTIONS"]) {
        const response = await fetch(gateway.url + target, {
          method: verb,
          headers: {
            ...headers,
            origin: ORIGIN,
            "access-control-request-method": method,
            "access-control-request-headers": "authorization, x-internal-secret",
          },
        });
        await response.body?.cancel();
        statuses.add(response.status);
        assertNothingAmbient(response.headers, `${verb} ${target}`);
        if (verb === "OPTIONS") assert.equal(response.status, 405, `a preflight of ${target}`);
      }
    }
  }
  for (const status of [200, 201, 401, 405, 426]) assert.ok(statuses.has(status), `${status}`);
  // The first one is removed by now.
  const another = await gateway.createExecutor();
  await using _machine = await dialIn(gateway, another);
  const upgraded = await handshake(`${gateway.wsUrl}/bridge/${another.exe_id}`, {
    authorization: `Bearer ${await gateway.capToken(another.exe_id)}`,
    origin: ORIGIN,
  });
  assert.equal(upgraded.status, 101);
  assertNothingAmbient(new Headers(upgraded.headers as Record<string, string>), "an upgrade");
});

switchboardTest("a credential in a cookie opens nothing", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using _machine = await dialIn(gateway, executor);
  const secrets = {
    "x-internal-secret": SECRETS.internal,
    internal: SECRETS.shared,
    token: executor.registration_token,
    authorization: `Bearer ${await gateway.capToken(executor.exe_id)}`,
  };
  const cookie = Object.entries(secrets).map(([name, value]) => `${name}=${value}`).join("; ");
  for (const { method, path } of ROUTES) {
    if (/^\/(healthz|readyz)$/.test(path)) continue;
    const target = path.replace(":exe_id", executor.exe_id).replace(":wid", "ws_test");
    const response = await fetch(gateway.url + target, { method, headers: { cookie } });
    await response.body?.cancel();
    // An executor without any token is told so with 400.
    assert.equal(response.status, path.startsWith("/codex-exec/") ? 400 : 401, target);
    if (!/^\/(bridge|codex-exec)\//.test(path)) continue;
    assert.notEqual((await handshake(gateway.wsUrl + target, { cookie })).status, 101, target);
  }
});

function assertNothingAmbient(headers: Headers, what: string): void {
  for (const [name] of headers) {
    assert.doesNotMatch(name, /^(set-cookie.*|access-control-.*|www-authenticate-.*)$/, what);
  }
  // A browser would ask its user for Basic or Digest, and then send it by itself.
  assert.match(headers.get("www-authenticate") ?? "Bearer", /^(Bearer|AWS4-HMAC-SHA256)$/, what);
}
