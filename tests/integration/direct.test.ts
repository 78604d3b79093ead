import assert from "node:assert/strict";
import { openPglite } from "../../src/store/pglite.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import type { StoreOptions } from "../../src/store/store.ts";
import { forEachDatabase } from "../support/databases.ts";
import { greet, openBridge, untilGone } from "../support/exclusive.ts";
import {
  type CreatedExecutor,
  gatewayTest,
  startGateway,
  type TestGateway,
} from "../support/gateway.ts";
import { NOISE_REGISTRATION, register } from "../support/relay.ts";
import {
  type Answer,
  dialInDirect,
  DIRECT_BODY,
  post,
  registerDirect,
  registerPath,
  signedHeaders,
  type Signing,
  upgradeDirect,
} from "../support/signed.ts";
import { handshake } from "../support/websocket.ts";

/** Each call of `signed.ts` comes from an address of its own: wrong signatures are limited. */
const BEHIND_PROXY = { trustedProxies: ["127.0.0.0/8"] };

const MINUTE_MS = 60_000;

gatewayTest("a direct executor registers, dials in, and serves one bridge", async (gateway) => {
  const executor = await createDirect(gateway);
  const { exe_id } = executor;
  const answer = await registerDirect(gateway, executor);
  assert.equal(answer.status, 200, answer.body);
  const { registration_id, ...rest } = JSON.parse(answer.body);
  assert.match(registration_id, /^reg_[0-9a-f]{32}$/);
  assert.deepEqual(rest, {
    environment_id: exe_id,
    url: `${gateway.wsUrl}/codex-exec/${exe_id}`,
    transport: "direct_jsonrpc_v1",
  });
  const again = JSON.parse((await registerDirect(gateway, executor)).body);
  assert.equal(again.registration_id, registration_id, "it stands for the pair");

  await using machine = await dialInDirect(gateway, executor);
  {
    await using harness = await openBridge(gateway, exe_id);
    await greet(harness, machine);
    machine.send("answer");
    assert.equal(await harness.next(), "answer");
    const capability = await gateway.capToken(exe_id);
    const url = `${gateway.wsUrl}/bridge/${exe_id}?token=${capability}`;
    assert.equal((await handshake(`${url}&role=harness`)).status, 400, "it speaks no relay frames");
    assert.equal((await handshake(url)).status, 409, "it is held");
  }
  // It serves one session a websocket, and comes again.
  assert.equal((await machine.closed).code, 1000);
  await untilGone(gateway, exe_id);
  await using back = await dialInDirect(gateway, executor, { at: Date.now() + 1000 });
  await using next = await openBridge(gateway, exe_id);
  await greet(next, back);
});

gatewayTest("a pair is shown to who asks for it, and to nobody else", async (gateway) => {
  const plain = await gateway.createExecutor();
  assert.deepEqual(Object.keys(plain).sort(), ["exe_id", "registration_token"]);
  const refused = await gateway.call("POST", "/api/codex-exec/register", { direct: "yes" }, {
    "x-user-id": "user_test",
  });
  assert.equal(refused.status, 400);
  assert.match((await refused.json()).error, /direct must be true or false/);
  const executor = await createDirect(gateway);
  const answer = await registerDirect(gateway, executor);
  assert.ok(!answer.body.includes(executor.direct!.secret_access_key));
});

/** What is signed well and refused all the same, or not: for the call, and for the upgrade. */
const SIGNINGS: readonly [what: string, status: number, signing: Partial<Signing>, why: RegExp][] =
  [
    ["another region", 200, { region: "eu-central-1" }, /^/],
    ["another service", 401, { service: "s3" }, /execute-api/],
    ["no service", 401, { service: " " }, /well-formed/],
    ["a slash in the region", 401, { region: "us/east" }, /well-formed/],
    ["one header more", 401, { headers: { "x-more": "1" } }, /wrong headers are signed/],
    [
      "a payload hash",
      401,
      { headers: { "x-amz-content-sha256": "0" } },
      /wrong headers are signed/,
    ],
    ["a session token", 401, { sessionToken: "AQoDYXdz" }, /unset AWS_SESSION_TOKEN/],
    ["a path of another executor", 401, { path: "/codex-exec/exe_other" }, /did not make/],
    ["a path with a slash more", 401, { path: "//codex-exec/exe_other" }, /did not make/],
    ["another method", 401, { method: "GET", body: DIRECT_BODY }, /did not make|wrong headers/],
    ["4 minutes ago", 200, { at: Date.now() - 4 * MINUTE_MS }, /^/],
    ["in 4 minutes", 200, { at: Date.now() + 4 * MINUTE_MS }, /^/],
  ];

gatewayTest("each deviation of a register call's signature is refused", async (gateway) => {
  const executor = await createDirect(gateway);
  for (const [what, status, signing, why] of SIGNINGS) {
    const answer = await registerDirect(gateway, executor, signing);
    assert.equal(answer.status, status, `${what}: ${answer.body}`);
    assert.match(answer.body, why, what);
    if (status === 401) {
      assert.deepEqual(Object.keys(JSON.parse(answer.body).error), ["code", "message"], what);
      assert.equal(answer.headers["www-authenticate"], "AWS4-HMAC-SHA256");
    }
  }
  const { exe_id } = executor;
  const path = registerPath(exe_id);
  const signed = () =>
    signedHeaders({
      path,
      host: `127.0.0.1:${gateway.port}`,
      pair: executor.direct!,
      body: DIRECT_BODY,
    });
  const send = (change: (headers: Record<string, string>) => object, body = DIRECT_BODY, to = "") =>
    post(gateway.url + path + to, { ...signed(), ...change(signed()) }, body);
  const replaced = (from: string | RegExp, to: string) => (headers: Record<string, string>) => {
    const authorization = headers.authorization!.replace(from, to);
    assert.notEqual(authorization, headers.authorization);
    return { authorization };
  };
  const changed: readonly [what: string, status: number, answer: Answer][] = [
    ["nothing", 200, await send(() => ({}))],
    ["no signature", 401, await post(gateway.url + path, {}, DIRECT_BODY)],
    ["a bearer token in its place", 401, await send(() => bearer(executor))],
    ["another body", 401, await send(() => ({}), '{"transport":"other"}')],
    ["no body", 401, await send(() => ({}), "")],
    ["a body with a space more", 401, await send(() => ({}), `${DIRECT_BODY} `)],
    ["a body that is too large", 413, await send(() => ({}), " ".repeat(4097))],
    ["another content type", 401, await send(() => ({ "content-type": "text/plain" }))],
    ["a content type twice", 401, await send(() => ({ "content-type": Array(2).fill("a/b") }))],
    ["another host", 401, await send(() => ({ host: "gateway.example" }))],
    ["another time", 401, await send(() => ({ "x-amz-date": "20200101T000000Z" }))],
    ["a time twice", 401, await send((h) => ({ "x-amz-date": Array(2).fill(h["x-amz-date"]) }))],
    ["a date in place of it", 401, await send(() => ({ "x-amz-date": new Date().toUTCString() }))],
    ["the day of the credential changed", 401, await send(replaced(/\/\d{8}\//, "/20200101/"))],
    ["the region changed", 401, await send(replaced("us-east-1", "us-west-1"))],
    ["the service changed", 401, await send(replaced("execute-api", "sts"))],
    ["the end of the scope changed", 401, await send(replaced("aws4_request", "aws4"))],
    ["the algorithm changed", 401, await send(replaced("SHA256", "SHA512"))],
    ["the access key id changed", 401, await send(replaced("exe_", "exf_"))],
    ["a digit of the signature changed", 401, await send(replaced(/[1-9a-f](?=0*$)/, "0"))],
    ["the host not signed", 401, await send(replaced("host;", ""))],
    ["the content type not signed", 401, await send(replaced("content-type;", ""))],
    [
      "headers in another order",
      401,
      await send(replaced(/content-type;host/, "host;content-type")),
    ],
    ["a header named twice", 401, await send(replaced("host;", "host;host;"))],
    ["a query", 401, await send(() => ({}), DIRECT_BODY, "?x=1")],
    ["a query without a name", 401, await send(() => ({}), DIRECT_BODY, "?=1")],
  ];
  for (const [what, status, answer] of changed) {
    assert.equal(answer.status, status, `${what}: ${answer.body}`);
  }
}, BEHIND_PROXY);

gatewayTest("each deviation of an upgrade's signature is refused", async (gateway) => {
  const executor = await createDirect(gateway);
  for (const [what, status, signing, why] of SIGNINGS) {
    // The method, and with it the body, is the upgrade's own.
    if (signing.body !== undefined) continue;
    const answer = await upgradeDirect(gateway, executor, signing);
    assert.equal(answer.status, status === 200 ? 101 : status, `${what}: ${answer.body}`);
    if (status !== 200) assert.match(answer.body, why, what);
  }
  const path = `/codex-exec/${executor.exe_id}`;
  const host = `127.0.0.1:${gateway.port}`;
  // Nobody else's second.
  let at = Date.now() + MINUTE_MS;
  const send = (change: (headers: Record<string, string>) => object, to = "") => {
    const headers = signedHeaders({ path, host, pair: executor.direct!, at: at += 1000 });
    return handshake(gateway.wsUrl + path + to, { ...headers, ...change(headers) });
  };
  const callHeaders = signedHeaders({ path, host, pair: executor.direct!, body: "" });
  const changed: readonly [what: string, status: number, answer: Answer][] = [
    ["nothing", 101, await send(() => ({}))],
    // By which it is judged then.
    ["a wrong token in the query", 401, await send(() => ({}), "?token=wrong")],
    ["a query", 401, await send(() => ({}), "?x=1")],
    ["another host", 401, await send(() => ({ host: "gateway.example" }))],
    ["another time", 401, await send(() => ({ "x-amz-date": "20200101T000000Z" }))],
    ["a register call's headers", 401, await handshake(gateway.wsUrl + path, callHeaders)],
    ["no websocket", 426, await send(() => ({ upgrade: "h2c" }))],
  ];
  for (const [what, status, answer] of changed) {
    assert.equal(answer.status, status, `${what}: ${answer.body}`);
  }
}, BEHIND_PROXY);

gatewayTest("clocks that are apart are named; the upgrade may come again", async (gateway) => {
  const executor = await createDirect(gateway);
  for (
    const [at, message] of [
      [Date.now() - 7 * MINUTE_MS, `${executor.exe_id} is 7 minutes behind the gateway's`],
      [Date.now() + 60 * MINUTE_MS, `${executor.exe_id} is 60 minutes ahead of the gateway's`],
    ] as const
  ) {
    const call = await registerDirect(gateway, executor, { at });
    assert.equal(call.status, 401);
    assert.ok(call.body.includes(message), call.body);
    // codex's process would end on 401, and a machine that has slept puts its clock right.
    const upgrade = await upgradeDirect(gateway, executor, { at });
    assert.equal(upgrade.status, 503);
    assert.ok(upgrade.body.includes(message), upgrade.body);
  }
  // Whose signature is wrong is told nothing about clocks.
  const pair = { ...executor.direct!, secret_access_key: "wrong" };
  const wrong = await registerDirect(gateway, executor, { at: 0, pair });
  assert.match(wrong.body, /did not make/);
});

gatewayTest("an upgrade that is played again opens nothing", async (gateway) => {
  const executor = await createDirect(gateway);
  const at = Date.now();
  await using machine = await dialInDirect(gateway, executor, { at });
  for (let i = 0; i < 3; i++) {
    const replayed = await upgradeDirect(gateway, executor, { at });
    assert.equal(replayed.status, 503, "not 401: it may be the executor itself, within a second");
    assert.match(replayed.body, /used before/);
  }
  await using harness = await openBridge(gateway, executor.exe_id);
  await greet(harness, machine);
});

gatewayTest("one that opened no websocket is not used up", async (gateway) => {
  const executor = await createDirect(gateway);
  const at = Date.now();
  const path = `/codex-exec/${executor.exe_id}`;
  const host = `127.0.0.1:${gateway.port}`;
  const headers = signedHeaders({ path, host, pair: executor.direct!, at });
  const plain = await handshake(gateway.wsUrl + path, { ...headers, upgrade: "h2c" });
  assert.equal(plain.status, 426);
  assert.equal((await upgradeDirect(gateway, executor, { at })).status, 101);
});

gatewayTest(
  "an executor that does not exist is a wrong signature, after the same work",
  async (gateway) => {
    const executor = await createDirect(gateway);
    const pair = { ...executor.direct!, secret_access_key: "wrong" };
    const nobody = { ...executor, exe_id: "exe_none" };
    for (const ask of [registerDirect, upgradeDirect]) {
      const queries: number[][] = [[], []];
      const answers: string[] = [];
      for (let i = 0; i < 3; i++) {
        for (const [which, who] of [executor, nobody].entries()) {
          const before = await gateway.metric("cxg_store_queries_total");
          const { status, body } = await ask(gateway, who, { pair });
          queries[which]!.push(await gateway.metric("cxg_store_queries_total") - before);
          answers.push(`${status} ${body}`);
        }
      }
      assert.equal(new Set(answers).size, 1, answers.join("\n"));
      assert.match(answers[0]!, /^401 /);
      // The gateway asks the store by itself now and then.
      assert.equal(Math.min(...queries[1]!), Math.min(...queries[0]!));
    }
  },
);

gatewayTest(
  "wrong signatures are limited, and a right one is let in all the same",
  async (gateway) => {
    const executor = await createDirect(gateway);
    const pair = { ...executor.direct!, secret_access_key: "wrong" };
    for (let i = 0; i < 10; i++) {
      assert.equal((await registerDirect(gateway, executor, { pair })).status, 401);
    }
    const refused = await registerDirect(gateway, executor, { pair });
    assert.equal(refused.status, 429);
    assert.match(String(refused.headers["retry-after"]), /^\d+$/);
    assert.equal((await upgradeDirect(gateway, executor, { pair })).status, 429);
    assert.equal((await registerDirect(gateway, executor)).status, 200);
    assert.equal((await upgradeDirect(gateway, executor)).status, 101);
  },
);

gatewayTest("a pair is its executor's alone, and goes with it", async (gateway) => {
  const [executor, other] = [await createDirect(gateway), await createDirect(gateway)];
  const foreign = { ...other, direct: executor.direct };
  assert.equal((await registerDirect(gateway, foreign)).status, 401);
  assert.equal((await upgradeDirect(gateway, foreign)).status, 401);
  // Nor is its secret a registration token, or its token a secret.
  const { exe_id, registration_token, direct } = executor;
  const url = `${gateway.wsUrl}/codex-exec/${exe_id}?token=${direct!.secret_access_key}`;
  assert.equal((await handshake(url)).status, 401);
  const pair = { ...direct!, secret_access_key: registration_token };
  assert.equal((await registerDirect(gateway, executor, { pair })).status, 401);
  await using machine = await dialInDirect(gateway, executor);
  const removed = await gateway.call("DELETE", `/api/codex-exec/executors/${exe_id}`);
  assert.equal(removed.status, 204);
  await machine.closed;
  assert.equal((await registerDirect(gateway, executor)).status, 401);
  assert.equal((await upgradeDirect(gateway, executor, { at: Date.now() + 1000 })).status, 401);
});

gatewayTest("a direct register call leaves a Noise registration as it is", async (gateway) => {
  const executor = await createDirect(gateway);
  const { url } = await register(gateway, executor, NOISE_REGISTRATION);
  assert.equal((await registerDirect(gateway, executor)).status, 200);
  assert.equal((await handshake(url)).status, 101);
});

gatewayTest("what codex does not ask for is refused once it is signed", async (gateway) => {
  const executor = await createDirect(gateway);
  for (const body of ["", "{}", '{"transport":"direct_jsonrpc_v2"}', "[]", "{"]) {
    const { status } = await registerDirect(gateway, executor, { body });
    assert.equal(status, 400, body);
  }
});

const PUBLIC = "wss://gateway.example:8443/prefix";
gatewayTest("the public base URL may be what was signed", async (gateway) => {
  const executor = await createDirect(gateway);
  const { exe_id } = executor;
  const host = "gateway.example:8443";
  const path = `/prefix${registerPath(exe_id)}`;
  const call = { host, path, body: DIRECT_BODY, pair: executor.direct! };
  // As it comes from a proxy that takes the prefix off and puts a Host of its own on.
  const headers = { ...signedHeaders(call), host: "inner:6060" };
  const answer = await post(gateway.url + registerPath(exe_id), headers, DIRECT_BODY);
  assert.equal(answer.status, 200, answer.body);
  const { url } = JSON.parse(answer.body);
  assert.equal(url, `${PUBLIC}/codex-exec/${exe_id}`);
  for (const [prefix, status] of [["/prefix", 101], ["", 101], ["/other", 401]] as const) {
    const upgrade = await upgradeDirect(gateway, executor, {
      host,
      path: `${prefix}/codex-exec/${exe_id}`,
    });
    assert.equal(upgrade.status, status, prefix);
  }
}, { publicWsBaseUrl: PUBLIC });

forEachDatabase("a new registration token makes the old pair worthless", async (store) => {
  let executor: CreatedExecutor;
  let other: CreatedExecutor;
  {
    await using gateway = await startGateway(store);
    executor = await createDirect(gateway);
    other = await createDirect(gateway);
  }
  await update(store, "UPDATE executors SET registration_token_hash = 'new' WHERE exe_id = $1", [
    executor.exe_id,
  ]);
  await using gateway = await startGateway(store);
  assert.equal((await registerDirect(gateway, executor)).status, 401);
  assert.equal((await upgradeDirect(gateway, executor)).status, 401);
  assert.equal(
    (await registerDirect(gateway, other)).status,
    200,
    "and the gateway's restart none",
  );
});

forEachDatabase("another secret of the gateway makes every pair worthless", async (store) => {
  let executor: CreatedExecutor;
  {
    await using gateway = await startGateway(store);
    executor = await createDirect(gateway);
  }
  const capTokenHmacSecret = new TextEncoder().encode("another-captoken-hmac-secret");
  await using gateway = await startGateway(store, { capTokenHmacSecret });
  assert.equal((await registerDirect(gateway, executor)).status, 401);
});

async function update(store: StoreOptions, statement: string, values: unknown[]): Promise<void> {
  const { databaseUrl, dataDir } = store;
  const database = await (databaseUrl ? openPostgres(databaseUrl) : openPglite(dataDir));
  await database.query(statement, values);
  await database.close();
}

function createDirect(gateway: TestGateway): Promise<CreatedExecutor> {
  return gateway.createExecutor("ws_test", { direct: true });
}

function bearer({ registration_token }: CreatedExecutor): { authorization: string } {
  return { authorization: `Bearer ${registration_token}` };
}
