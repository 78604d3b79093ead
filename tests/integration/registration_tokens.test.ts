import assert from "node:assert/strict";
import { newRegistrationToken } from "../../src/auth/registration_tokens.ts";
import { forEachDatabase } from "../support/databases.ts";
import {
  type CreatedExecutor,
  gatewayTest,
  SECRETS,
  startGateway,
  type TestGateway,
} from "../support/gateway.ts";
import { createOldExecutor, createOldExecutors } from "../support/old_executors.ts";
import { handshake } from "../support/websocket.ts";

/** Every place that takes a registration token; each answers its status. */
const PLACES: Record<string, (gateway: TestGateway, executor: CreatedExecutor) => Promise<number>> =
  {
    register: (gateway, executor) => post(gateway, executor, "register"),
    validate: (gateway, executor) => post(gateway, executor, "validate"),
    "codex-exec": async (gateway, { exe_id, registration_token }) =>
      (await handshake(`${gateway.wsUrl}/codex-exec/${exe_id}?token=${registration_token}`)).status,
  };

gatewayTest("a new executor's token is judged without bcrypt, right or wrong", async (gateway) => {
  const executor = await gateway.createExecutor();
  const before = await bcryptRuns(gateway);
  for (const [place, ask] of Object.entries(PLACES)) {
    // The same answer after the same work.
    const forWrong = await queriesOf(gateway, async () => {
      assert.equal(await ask(gateway, wrong(executor)), 401, place);
    });
    const forUnknown = await queriesOf(gateway, async () => {
      assert.equal(await ask(gateway, { ...executor, exe_id: "exe_none" }), 401, place);
    });
    assert.equal(forUnknown, forWrong, place);
    assert.equal(await ask(gateway, executor), place === "codex-exec" ? 101 : 200, place);
  }
  assert.equal(await bcryptRuns(gateway), before);
});

forEachDatabase("an old executor's token needs bcrypt until it was right once", async (store) => {
  const executors = await createOldExecutors(store, 3);
  await using gateway = await startGateway(store);
  let runs = 0;
  for (const [place, ask] of Object.entries(PLACES)) {
    const executor = executors.pop()!;
    const good = place === "codex-exec" ? 101 : 200;
    for (let i = 1; i <= 2; i++) {
      assert.equal(await ask(gateway, wrong(executor)), 401, place);
      assert.equal(await bcryptRuns(gateway), ++runs, "a wrong token leaves the row as it was");
    }
    assert.equal(await ask(gateway, executor), good, place);
    assert.equal(await bcryptRuns(gateway), ++runs);
    assert.equal(await ask(gateway, executor), good, place);
    assert.equal(await ask(gateway, wrong(executor)), 401, place);
    assert.equal(await bcryptRuns(gateway), runs, "and from then on none");
  }
});

forEachDatabase("a token that a person chose is never kept as a digest", async (store) => {
  const executor = await createOldExecutor(store, "correct horse battery staple");
  await using gateway = await startGateway(store);
  for (let i = 1; i <= 2; i++) {
    // A credential in a header has no blanks.
    const token = encodeURIComponent(executor.registration_token);
    const url = `${gateway.wsUrl}/codex-exec/${executor.exe_id}?token=${token}`;
    assert.equal((await handshake(url)).status, 101);
    assert.equal(await bcryptRuns(gateway), i);
  }
});

/**
 * How many queries something takes: the least of a few times, since the gateway asks the store by itself
 * now and then.
 */
async function queriesOf(gateway: TestGateway, work: () => Promise<void>): Promise<number> {
  const counts: number[] = [];
  for (let i = 0; i < 3; i++) {
    const before = await counter(gateway, "cxg_store_queries_total");
    await work();
    counts.push(await counter(gateway, "cxg_store_queries_total") - before);
  }
  return Math.min(...counts);
}

function wrong(executor: CreatedExecutor): CreatedExecutor {
  return { ...executor, registration_token: newRegistrationToken() };
}

async function post(
  gateway: TestGateway,
  { exe_id, registration_token }: CreatedExecutor,
  what: "register" | "validate",
): Promise<number> {
  const response = await fetch(`${gateway.url}/cloud/environment/${exe_id}/${what}`, {
    method: "POST",
    headers: { authorization: `Bearer ${registration_token}` },
  });
  await response.body?.cancel();
  return response.status;
}

/** How many bcrypt hashes and checks the gateway has begun. */
function bcryptRuns(gateway: TestGateway): Promise<number> {
  return counter(gateway, "cxg_bcrypt_runs_total");
}

async function counter(gateway: TestGateway, name: string): Promise<number> {
  const headers = { authorization: `Bearer ${SECRETS.shared}` };
  const text = await (await fetch(`${gateway.url}/metrics`, { headers })).text();
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)![1]);
}
