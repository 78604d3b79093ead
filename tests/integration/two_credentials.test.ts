/**
 * A credential of somebody else's, a proxy's say, in the other of the two places that a route takes one from.
 *
 * @module
 */
import assert from "node:assert/strict";
import { newRegistrationToken } from "../../src/auth/registration_tokens.ts";
import { forEachDatabase } from "../support/databases.ts";
import { dialIn } from "../support/exclusive.ts";
import { gatewayTest, SECRETS, startGateway, type TestGateway } from "../support/gateway.ts";
import { createOldExecutor } from "../support/old_executors.ts";
import { handshake } from "../support/websocket.ts";

/** What a proxy may leave in the header. */
const FOREIGN = [
  "Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJwcm94eSJ9.c2ln",
  "Bearer opaque",
  "Basic YTpi",
];

const WRONG = "0".repeat(64);

gatewayTest("a bridge is judged by the good one of two credentials", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using _machine = await dialIn(gateway, executor);
  const { exe_id } = executor;
  const good = await gateway.capToken(exe_id);
  for (const foreign of FOREIGN) {
    assert.equal((await ask(gateway, `bridge/${exe_id}`, good, foreign)).status, 101, foreign);
  }
  for (const foreign of ["opaque", "a.b.c", "cxgh.e30.AAAA"]) {
    const { status } = await ask(gateway, `bridge/${exe_id}`, foreign, `Bearer ${good}`);
    assert.equal(status, 101, foreign);
  }
  // With no good one, the refusal is of the one that is this gateway's.
  const expired = await gateway.capToken(exe_id, { exp: 1 });
  for (
    const [token, header] of [[expired, FOREIGN[0]!], ["opaque", `Bearer ${expired}`]] as const
  ) {
    const { status, body } = await ask(gateway, `bridge/${exe_id}`, token, header);
    assert.deepEqual([status, /expired/.test(body)], [401, true], body);
  }
  assert.equal((await ask(gateway, `bridge/${exe_id}`, "opaque", FOREIGN[0]!)).status, 401);
});

gatewayTest("an executor is judged by the good one of two credentials", async (gateway) => {
  const { exe_id, registration_token } = await gateway.createExecutor();
  const path = `codex-exec/${exe_id}`;
  const registered = await gateway.call("POST", `/cloud/environment/${exe_id}/register`, "", {
    authorization: `Bearer ${registration_token}`,
  });
  const ticket = new URL((await registered.json()).url).searchParams.get("token")!;
  const signed =
    "AWS4-HMAC-SHA256 Credential=a/20260101/r/s/aws4_request, SignedHeaders=host, Signature=0";
  // More of them than wrong tokens are answered as such in a minute: beside a good one, none is counted.
  for (const good of [registration_token, ticket]) {
    for (const header of [...FOREIGN, ...FOREIGN, signed]) {
      assert.equal((await ask(gateway, path, good, header)).status, 101, header);
    }
  }
  for (const foreign of ["opaque", "cxgx.e30.AAAA"]) {
    assert.equal((await ask(gateway, path, foreign, `Bearer ${registration_token}`)).status, 101);
  }
  assert.equal((await ask(gateway, path, "opaque", `Bearer ${ticket}`)).status, 101);
  // Two wrong ones count once.
  for (let i = 1; i <= 10; i++) {
    assert.equal((await ask(gateway, path, WRONG, FOREIGN[1]!)).status, 401, `pair ${i}`);
  }
  assert.equal((await ask(gateway, path, WRONG, FOREIGN[1]!)).status, 429);
});

forEachDatabase("so is one whose token takes bcrypt to judge", async (store) => {
  const token = newRegistrationToken();
  const { exe_id } = await createOldExecutor(store, token);
  await using gateway = await startGateway(store);
  assert.equal((await ask(gateway, `codex-exec/${exe_id}`, token, FOREIGN[1]!)).status, 101);
});

gatewayTest("a wrong secret beside a bad capability token counts as one", async (gateway) => {
  const { exe_id } = await gateway.createExecutor();
  const statusOf = async (token: string) => {
    const answer = await fetch(`${gateway.url}/api/exec-gateway/connected?workspace_id=ws_test`, {
      headers: { authorization: `Bearer ${token}`, "x-internal-secret": WRONG },
    });
    await answer.body?.cancel();
    return answer.status;
  };
  for (let i = 1; i <= 10; i++) assert.equal(await statusOf("a.b.c"), 401, `pair ${i}`);
  assert.equal(await statusOf("a.b.c"), 429);
  assert.equal(await statusOf(await gateway.capToken(exe_id)), 200);
  assert.equal(await statusOf(SECRETS.shared), 200);
});

/** A websocket that is asked for with both. */
function ask(gateway: TestGateway, path: string, token: string, authorization: string) {
  return handshake(`${gateway.wsUrl}/${path}?token=${token}`, { authorization });
}
