import assert from "node:assert/strict";
import { deriveTickets } from "../../src/auth/tickets.ts";
import { untilConnected, untilGone } from "../support/exclusive.ts";
import { forEachDatabase } from "../support/databases.ts";
import { gatewayTest, SECRETS, startGateway, type TestGateway } from "../support/gateway.ts";
import {
  claim,
  connectOk,
  dialInAsNoise,
  dialInAsRelay,
  frame,
  HARNESS_KEY,
  NOISE_REGISTRATION,
  noiseRegistration,
  parseFrame,
  register,
  resetReason,
  validate,
} from "../support/relay.ts";
import { connect, handshake, settled } from "../support/websocket.ts";

gatewayTest("register, connect, dial, validate: the whole rendezvous", async (gateway) => {
  const executor = await gateway.createExecutor();
  const registered = await register(gateway, executor, NOISE_REGISTRATION);
  assert.equal(registered.security_profile, "noise_hybrid_ik_v1");
  assert.ok(registered.executor_registration_id);
  await using machine = await connect(registered.url);
  await untilConnected(gateway, executor.exe_id);

  const bundle = await connectOk(gateway, executor);
  assert.deepEqual(Object.keys(bundle).sort(), [
    "environment_id",
    "executor_public_key",
    "executor_registration_id",
    "harness_key_authorization",
    "security_profile",
    "url",
  ]);
  assert.equal(bundle.environment_id, executor.exe_id);
  assert.equal(bundle.executor_registration_id, registered.executor_registration_id);
  assert.deepEqual(bundle.executor_public_key, NOISE_REGISTRATION.executor_public_key);
  assert.ok(bundle.harness_key_authorization.length <= 4096);
  await using harness = await connect(bundle.url);
  await claim(harness, machine, "stream-1");
  const ciphertext = frame("stream-1", "handshake", new Uint8Array(1200).fill(7));
  harness.send(ciphertext);
  assert.deepEqual(await machine.next(), ciphertext);

  assert.equal(await validate(gateway, executor, bundle), true);
  const reordered = Object.fromEntries(Object.entries(HARNESS_KEY).reverse());
  assert.equal(await validate(gateway, executor, bundle, { harness_public_key: reordered }), true);
});

gatewayTest("validate says no to everything else, and not why", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using _machine = await dialInAsNoise(gateway, executor);
  const other = await gateway.createExecutor();
  await using _other = await dialInAsNoise(gateway, other);
  const bundle = await connectOk(gateway, executor);
  const foreign = await connectOk(gateway, other);
  const authorization = bundle.harness_key_authorization;
  const refused: Record<string, unknown>[] = [
    { harness_public_key: { ...HARNESS_KEY, mlkem768_public_key: "b3RoZXI=" } },
    { harness_public_key: undefined },
    { harness_public_key: null },
    { harness_public_key: { a: JSON.parse("[".repeat(5_000) + "]".repeat(5_000)) } },
    { executor_registration_id: "reg_other" },
    { executor_registration_id: foreign.executor_registration_id },
    { harness_key_authorization: foreign.harness_key_authorization },
    { harness_key_authorization: `${authorization.slice(0, -6)}AAAAAA` },
    { harness_key_authorization: new URL(bundle.url).searchParams.get("token") },
    { harness_key_authorization: await gateway.capToken(executor.exe_id) },
    { harness_key_authorization: "" },
    { harness_key_authorization: "x".repeat(5000) },
    { harness_key_authorization: 7 },
    { harness_key_authorization: undefined },
  ];
  for (const change of refused) {
    assert.equal(await validate(gateway, executor, bundle, change), false, JSON.stringify(change));
  }
  assert.equal(await validate(gateway, other, bundle), false, "by another executor");
  const answer = await post(gateway, executor.exe_id, "validate", "wrong", {});
  assert.equal(answer.status, 401);
  await answer.body?.cancel();
});

gatewayTest(
  "an authorization dies with its turn, and with a newer registration",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialInAsNoise(gateway, executor);
    const bundle = await connectOk(gateway, executor, { turn_id: "turn_dies" });
    assert.equal(await validate(gateway, executor, bundle), true);
    const revoked = await gateway.call("POST", "/api/exec-gateway/revoke-turn", {
      turn_id: "turn_dies",
    });
    assert.equal(revoked.status, 204);
    assert.equal(await validate(gateway, executor, bundle), false);
    assert.equal((await handshake(bundle.url)).status, 401, "the ticket is the turn's too");

    const second = await connectOk(gateway, executor);
    const again = await register(gateway, executor, noiseRegistration(3));
    assert.equal(await validate(gateway, executor, second), true, "it has not dialled in");
    await using _fresh = await connect(again.url);
    assert.equal((await machine.closed).code, 1008);
    assert.equal(await validate(gateway, executor, second), false);
    assert.equal(
      await validate(gateway, executor, second, {
        executor_registration_id: again.executor_registration_id,
      }),
      false,
    );
    assert.equal((await handshake(second.url)).status, 401, "the ticket is the registration's too");
  },
);

gatewayTest(
  "a harness ticket opens one bridge, of its executor, and nothing else",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using _machine = await dialInAsNoise(gateway, executor);
    const other = await gateway.createExecutor();
    await using _other = await dialInAsNoise(gateway, other);
    const { url } = await connectOk(gateway, executor);
    const ticket = new URL(url).searchParams.get("token")!;
    const bridge = (exeId: string, token: string) =>
      handshake(`${gateway.wsUrl}/bridge/${exeId}?token=${token}`);
    const dial = (exeId: string, token: string) =>
      handshake(`${gateway.wsUrl}/codex-exec/${exeId}?token=${token}`);
    assert.equal((await bridge(other.exe_id, ticket)).status, 403);
    assert.equal((await bridge(executor.exe_id, `${ticket.slice(0, -6)}AAAAAA`)).status, 401);
    assert.equal((await dial(executor.exe_id, ticket)).status, 401);
    assert.equal((await bridge(executor.exe_id, ticket)).status, 101);
    const again = await bridge(executor.exe_id, ticket);
    assert.equal(again.status, 401);
    assert.match(again.body, /used before/);
    const { url: executorUrl } = await register(gateway, executor, NOISE_REGISTRATION);
    const executorTicket = new URL(executorUrl).searchParams.get("token")!;
    assert.equal((await bridge(executor.exe_id, executorTicket)).status, 401);
  },
);

gatewayTest("a harness ticket and an authorization end by themselves", async (gateway) => {
  const executor = await gateway.createExecutor();
  const { exe_id } = executor;
  await using _machine = await dialInAsNoise(gateway, executor);
  const bundle = await connectOk(gateway, executor);
  const { harness, keyAuthorization } = await deriveTickets(
    new TextEncoder().encode(SECRETS.capToken),
  );
  const now = Math.floor(Date.now() / 1000);
  const ticket = (await harness.open(new URL(bundle.url).searchParams.get("token")!))!;
  assert.ok(ticket.exp - now <= 60, "a ticket is good for a minute");
  const dial = async (exp: number) => {
    const token = await harness.seal({ ...ticket, ticket_id: crypto.randomUUID(), exp });
    return (await handshake(`${gateway.wsUrl}/bridge/${exe_id}?token=${token}`)).status;
  };
  assert.equal(await dial(now + 5), 101);
  assert.equal(await dial(now - 1), 401);
  const authorization = (await keyAuthorization.open(bundle.harness_key_authorization))!;
  assert.ok(authorization.exp - now <= 60, "and so is an authorization");
  const ask = async (exp: number) =>
    await validate(gateway, executor, bundle, {
      harness_key_authorization: await keyAuthorization.seal({ ...authorization, exp }),
    });
  assert.equal(await ask(now + 5), true);
  assert.equal(await ask(now - 1), false);
});

gatewayTest("connect refuses as a bridge does, in the same order", async (gateway) => {
  const executor = await gateway.createExecutor();
  const { exe_id } = executor;
  const ask = async (token?: string, body: unknown = { harness_public_key: HARNESS_KEY }) => {
    const response = await post(gateway, exe_id, "connect", token, body);
    // The runtime says it once more where it has not read the body.
    assert.match(response.headers.get("connection") ?? "", /^close(, close)?$/);
    const { error } = await response.json();
    return [response.status, error?.code];
  };
  const exp = Math.floor(Date.now() / 1000) - 1;
  assert.deepEqual(await ask(), [401, "unauthorized"]);
  assert.deepEqual(await ask("garbage"), [401, "unauthorized"]);
  assert.deepEqual(await ask(await gateway.capToken("exe_other", { exp })), [401, "unauthorized"]);
  assert.deepEqual(await ask(await gateway.capToken("exe_other")), [403, "forbidden"]);
  const token = await gateway.capToken(exe_id);
  assert.deepEqual(await ask(token, {}), [400, "bad_request"]);
  assert.deepEqual(await ask(token, { harness_public_key: "x" }), [400, "bad_request"]);
  const deep = `{"harness_public_key":{"a":${"[".repeat(20_000)}${"]".repeat(20_000)}}}`;
  assert.deepEqual(await ask(token, JSON.parse(deep)), [400, "bad_request"]);
  assert.deepEqual(await ask(token), [503, "unavailable"]);
  await using _machine = await dialInAsRelay(gateway, executor);
  assert.deepEqual(await ask(token), [400, "bad_request"], "not a Noise executor");
});

gatewayTest("connect waits for an executor that is on its way back", async (gateway) => {
  const executor = await gateway.createExecutor();
  const { url } = await register(gateway, executor, NOISE_REGISTRATION);
  const first = await connect(url);
  await untilConnected(gateway, executor.exe_id);
  first.close();
  await untilGone(gateway, executor.exe_id);
  const waiting = connectOk(gateway, executor);
  assert.equal(await settled(waiting, 300), false, "it waits");
  await using _machine = await connect(url);
  assert.equal((await waiting).environment_id, executor.exe_id);
});

forEachDatabase(
  "an executor comes back to its URL after the gateway was restarted",
  async (database) => {
    let executor, url;
    {
      await using before = await startGateway(database);
      executor = await before.createExecutor();
      ({ url } = await register(before, executor, NOISE_REGISTRATION));
      await using _machine = await connect(url);
      await untilConnected(before, executor.exe_id);
    }
    await using after = await startGateway(database);
    const here = new URL(url);
    here.port = String(after.port);
    await using _machine = await connect(here.href);
    await untilConnected(after, executor.exe_id);
    const bundle = await connectOk(after, executor);
    assert.deepEqual(bundle.executor_public_key, NOISE_REGISTRATION.executor_public_key);
    assert.equal(await validate(after, executor, bundle), true);
  },
);

gatewayTest(
  "a frame over 256 KiB ends the bridge that it belongs to, and no other",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialInAsNoise(gateway, executor);
    await using other = await connect((await connectOk(gateway, executor)).url);
    await claim(other, machine, "stream-other");
    const most = 256 * 1024;
    const overhead = frame("stream-0", "data", new Uint8Array(most - 100)).length - (most - 100);
    const fits = (id: string) => frame(id, "data", new Uint8Array(most - overhead));
    const tooLarge = (id: string) => frame(id, "data", new Uint8Array(most - overhead + 1));
    for (const from of ["harness", "machine"] as const) {
      const id = from === "harness" ? "stream-1" : "stream-2";
      await using harness = await connect((await connectOk(gateway, executor)).url);
      await claim(harness, machine, id);
      const [sender, receiver] = from === "harness" ? [harness, machine] : [machine, harness];
      sender.send(fits(id));
      assert.equal((await receiver.next()).length, most);
      sender.send(tooLarge(id));
      assert.deepEqual(await harness.closed, { code: 1009, reason: "frame over 256 KiB" });
      const reset = parseFrame(await machine.next());
      assert.deepEqual([reset.streamId, resetReason(reset)], [id, "frame over 256 KiB"]);
    }
    other.send(frame("stream-other", "data"));
    assert.equal(parseFrame(await machine.next()).streamId, "stream-other");
  },
);

gatewayTest(
  "a harness that speaks no Noise is told what a Noise executor needs",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using _machine = await dialInAsNoise(gateway, executor);
    const url = `${gateway.wsUrl}/bridge/${executor.exe_id}?token=${await gateway.capToken(
      executor.exe_id,
    )}`;
    const relay = await handshake(`${url}&role=harness`);
    assert.equal(relay.status, 400);
    assert.match(relay.body, /0\.142/);
    await using text = await connect(url);
    text.send("{}");
    const closed = await text.closed;
    assert.equal(closed.code, 1003);
    assert.match(closed.reason, /0\.142/);
  },
);

function post(
  gateway: TestGateway,
  exeId: string,
  call: "connect" | "validate",
  token: string | undefined,
  body: unknown,
): Promise<Response> {
  return fetch(`${gateway.url}/cloud/environment/${exeId}/${call}`, {
    method: "POST",
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    body: JSON.stringify(body),
  });
}
