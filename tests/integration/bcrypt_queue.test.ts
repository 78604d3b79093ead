import assert from "node:assert/strict";
import { dialIn, greet, openBridge } from "../support/exclusive.ts";
import { onAnyDatabase } from "../support/databases.ts";
import { startGateway, switchboardTest, type TestGateway } from "../support/gateway.ts";
import { createOldExecutors } from "../support/old_executors.ts";
import { type Peer, until } from "../support/websocket.ts";

/** Each call seems to come from an address of its own, unless one is named. */
let lastAddress = 0;
const BEHIND_PROXY = { trustedProxies: ["127.0.0.1"] };

onAnyDatabase(
  "a running bridge goes on while fifty tokens are checked by bcrypt",
  async (store) => {
    const old = await createOldExecutors(store, 50);
    await using gateway = await startGateway(store);
    const executor = await gateway.createExecutor();
    await using machine = await dialIn(gateway, executor);
    await using harness = await openBridge(gateway, executor.exe_id);
    await greet(harness, machine);

    let checked = 0;
    const checks = Promise.all(old.map(async ({ exe_id }) => {
      const response = await wrongToken(gateway, exe_id);
      checked++;
      await response.body?.cancel();
      return response.status;
    }));
    const trips = await roundTripsUntil(harness, machine, () => checked === 50);
    assert.deepEqual(await checks, Array(50).fill(401));
    // A check on the frame thread takes as long as hundreds of round trips, and lets none pass meanwhile.
    assert.ok(trips > 3 * 50, `only ${trips} round trips during the checks`);
  },
);

onAnyDatabase("a full queue answers 503 with Retry-After, and service goes on", async (store) => {
  const old = await createOldExecutors(store, 12);
  await using gateway = await startGateway(store, { maxWaitingChecks: 4, ...BEHIND_PROXY });
  const responses = await Promise.all(old.map(({ exe_id }) => wrongToken(gateway, exe_id)));
  const statuses = responses.map(({ status }) => status);
  assert.ok(statuses.includes(503), `${statuses}`);
  assert.ok(statuses.includes(401), `${statuses}`);
  for (const response of responses) {
    if (response.status === 503) assert.match(response.headers.get("retry-after")!, /^[1-9]\d*$/);
    await response.body?.cancel();
  }
  const later = await wrongToken(gateway, old[0]!.exe_id);
  assert.equal(later.status, 401);
  await later.body?.cancel();
});

onAnyDatabase("one address cannot fill the queue: others get through", async (store) => {
  const old = await createOldExecutors(store, 300);
  const mine = old.pop()!;
  await using gateway = await startGateway(store, BEHIND_PROXY);
  const flood = old.map(({ exe_id }) => wrongToken(gateway, exe_id, "192.0.2.1"));
  let refused = 0;
  for (const call of flood) call.then(({ status }) => refused += Number(status === 503));
  await until("some are refused", () => refused > 0);
  const runs = () => gateway.metric("cxg_bcrypt_runs_total");
  const before = await runs();
  const response = await register(gateway, mine.exe_id, mine.registration_token, "192.0.2.2");
  assert.equal(response.status, 200);
  // The check under way, perhaps others of the flood while the call came and went, and its own: not the
  // sixty and more that wait.
  const meanwhile = await runs() - before;
  assert.ok(meanwhile <= 30, `${meanwhile} checks were done meanwhile`);
  await response.body?.cancel();
  const statuses = (await Promise.all(flood)).map(({ status }) => status);
  const judged = statuses.filter((status) => status === 401).length;
  assert.ok(judged >= 64 && judged < 150, `${judged} of the flood were checked`);
  for (const response of flood) await (await response).body?.cancel();
});

switchboardTest("an unknown executor costs the work of a wrong token", async (gateway) => {
  const { exe_id } = await gateway.createExecutor();
  const work = async (exeId: string) => {
    const counters = ["cxg_store_queries_total", "cxg_bcrypt_runs_total"];
    const before = await Promise.all(counters.map((name) => gateway.metric(name)));
    const response = await wrongToken(gateway, exeId);
    const after = await Promise.all(counters.map((name) => gateway.metric(name)));
    return {
      did: after.map((count, i) => count - before[i]!),
      status: response.status,
      body: await response.text(),
    };
  };
  // A gateway on PostgreSQL asks for revocations by itself, at times in between.
  const least = async (exeId: string) => {
    const tries = [];
    for (let i = 0; i < 5; i++) tries.push(await work(exeId));
    return tries.reduce((least, each) => each.did[0]! < least.did[0]! ? each : least);
  };
  assert.deepEqual(await least("exe_none"), await least(exe_id));
}, BEHIND_PROXY);

function wrongToken(gateway: TestGateway, exeId: string, from?: string): Promise<Response> {
  return register(gateway, exeId, "0".repeat(64), from);
}

function register(
  gateway: TestGateway,
  exeId: string,
  token: string,
  from = `198.51.${++lastAddress >> 8}.${lastAddress & 255}`,
): Promise<Response> {
  return fetch(`${gateway.url}/cloud/executor/${exeId}/register`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "x-forwarded-for": from },
  });
}

/** Makes round trips, one after the other, until `done`; returns how many. */
async function roundTripsUntil(harness: Peer, machine: Peer, done: () => boolean): Promise<number> {
  let count = 0;
  for (; !done(); count++) {
    harness.send("ping");
    await machine.next();
    machine.send("pong");
    await harness.next();
  }
  return count;
}
