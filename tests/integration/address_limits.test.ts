import assert from "node:assert/strict";
import { newRegistrationToken } from "../../src/auth/registration_tokens.ts";
import { forEachDatabase } from "../support/databases.ts";
import { untilConnected } from "../support/exclusive.ts";
import {
  type CreatedExecutor,
  startGateway,
  switchboardTest,
  type TestGateway,
} from "../support/gateway.ts";
import { CapturedLogs } from "../support/logs.ts";
import { createOldExecutor } from "../support/old_executors.ts";
import { connect, handshake, until } from "../support/websocket.ts";

const BEHIND_PROXY = { trustedProxies: ["127.0.0.0/8"] };
const [ME, SOMEBODY] = ["198.51.100.1", "203.0.113.7"];

switchboardTest(
  "after ten wrong tokens, the next from there is asked to stay away",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    // Whether the executor exists makes no difference.
    for (const exe_id of [executor.exe_id, "exe_none"]) {
      for (let i = 0; i < 10; i++) {
        assert.equal((await register(gateway, wrong({ exe_id }), SOMEBODY)).status, 401);
      }
      const refused = await register(gateway, wrong({ exe_id }), SOMEBODY);
      assert.equal(refused.status, 429);
      assert.match(refused.retryAfter!, /^([1-9]|[1-5]\d|60)$/);
      assert.equal(await dial(gateway, wrong({ exe_id }), SOMEBODY), 429, "wherever it is shown");
      assert.equal((await register(gateway, wrong({ exe_id }), ME)).status, 401, "and nobody else");
    }
    // Released codex up to 0.140 ends for good when it is refused.
    for (const from of [ME, SOMEBODY]) {
      assert.equal((await register(gateway, executor, from)).status, 200);
      assert.equal(await dial(gateway, executor, from), 101);
    }
  },
  BEHIND_PROXY,
);

forEachDatabase("bcrypt is not run for who has shown too many wrong tokens", async (store) => {
  const executor = await createOldExecutor(store);
  await using gateway = await startGateway(store, BEHIND_PROXY);
  for (let i = 0; i < 10; i++) {
    assert.equal((await register(gateway, wrong(executor), SOMEBODY)).status, 401);
  }
  assert.equal((await register(gateway, executor, SOMEBODY)).status, 429);
  assert.equal((await register(gateway, executor, ME)).status, 200);
  assert.equal((await register(gateway, executor, SOMEBODY)).status, 200, "it has a digest now");
});

switchboardTest("an address holds so many connections, and no more", async (gateway) => {
  const [executor, other] = [await gateway.createExecutor(), await gateway.createExecutor()];
  const token = `token=${executor.registration_token}`;
  const open = (from: string) =>
    connect(`${gateway.wsUrl}/codex-exec/${executor.exe_id}?${token}`, { "x-forwarded-for": from });
  const bridge = async (from: string) =>
    await connect(`${gateway.wsUrl}/bridge/${executor.exe_id}`, {
      authorization: `Bearer ${await gateway.capToken(executor.exe_id)}`,
      "x-forwarded-for": from,
    });
  await using _machine = await open(SOMEBODY);
  await untilConnected(gateway, executor.exe_id);
  const harness = await bridge(SOMEBODY);
  // What is only asked, and refused, is not held.
  for (let i = 0; i < 5; i++) {
    await until("the one before has gone", async () => await dial(gateway, other, ME) === 101);
  }
  for (let i = 0; i < 5; i++) {
    assert.equal((await register(gateway, { ...wrong(executor), exe_id: "x" }, ME)).status, 401);
  }
  const refused = await register(gateway, executor, SOMEBODY);
  assert.deepEqual([refused.status, refused.retryAfter], [503, "5"]);
  assert.equal(await dial(gateway, other, SOMEBODY), 503);
  assert.equal((await register(gateway, executor, ME)).status, 200);
  harness.close();
  await until("there is room", async () => {
    return (await register(gateway, executor, SOMEBODY)).status === 200;
  });
}, { ...BEHIND_PROXY, maxConnectionsPerAddress: 2 });

switchboardTest("the log has the client's address, not the proxy's", async (gateway) => {
  using logs = new CapturedLogs();
  const executor = await gateway.createExecutor();
  await register(gateway, executor, `192.0.2.99, ${ME}, 127.0.0.5`);
  assert.equal(logs.fieldsOf("executor registered")?.remote, ME);
  await register(gateway, wrong(executor), ME);
  assert.equal(logs.fieldsOf("refused")?.remote, ME);
}, BEHIND_PROXY);

switchboardTest("what an untrusted peer says of itself changes nothing", async (gateway) => {
  using logs = new CapturedLogs();
  const executor = await gateway.createExecutor();
  for (let i = 0; i < 10; i++) await register(gateway, wrong(executor), `192.0.2.${i}`);
  assert.equal((await register(gateway, wrong(executor), "192.0.2.99")).status, 429);
  assert.equal(logs.fieldsOf("refused")?.remote, "127.0.0.1");
});

function wrong(executor: { exe_id: string }): CreatedExecutor {
  return { ...executor, registration_token: newRegistrationToken() };
}

async function register(
  gateway: TestGateway,
  { exe_id, registration_token }: CreatedExecutor,
  from: string,
): Promise<{ status: number; retryAfter: string | null }> {
  const response = await fetch(`${gateway.url}/cloud/environment/${exe_id}/register`, {
    method: "POST",
    headers: { authorization: `Bearer ${registration_token}`, "x-forwarded-for": from },
  });
  await response.body?.cancel();
  return { status: response.status, retryAfter: response.headers.get("retry-after") };
}

async function dial(
  gateway: TestGateway,
  { exe_id, registration_token }: CreatedExecutor,
  from: string,
): Promise<number> {
  const url = `${gateway.wsUrl}/codex-exec/${exe_id}?token=${registration_token}`;
  return (await handshake(url, { "x-forwarded-for": from })).status;
}
