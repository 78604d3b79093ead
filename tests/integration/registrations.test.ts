/**
 * Registrations: whose register call counts, until when its ticket is good, and what is no
 * registration at all.
 *
 * @module
 */
import assert from "node:assert/strict";
import { forEachDatabase, onPostgres } from "../support/databases.ts";
import { untilConnected, untilGone } from "../support/exclusive.ts";
import { type CreatedExecutor, gatewayTest, startGateway } from "../support/gateway.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { letMinutesPass, withDatabase } from "../support/registrations.ts";
import {
  askToConnect,
  claim,
  connectOk,
  dialInAsNoise,
  dialInAsRelay,
  HARNESS_KEY,
  NOISE_REGISTRATION,
  noiseKey,
  noiseRegistration,
  openRelayBridge,
  register,
  validate,
} from "../support/relay.ts";
import { connect, handshake, until } from "../support/websocket.ts";

gatewayTest(
  "a register call without a dial takes nothing from who is connected",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialInAsNoise(gateway, executor);
    const before = await connectOk(gateway, executor);
    const later = await register(gateway, executor, noiseRegistration(3));
    await register(gateway, executor);
    await register(gateway, executor, { idempotency_id: "i" });
    assert.notEqual(later.executor_registration_id, before.executor_registration_id);

    const bundle = await connectOk(gateway, executor);
    assert.equal(bundle.executor_registration_id, before.executor_registration_id);
    assert.deepEqual(bundle.executor_public_key, NOISE_REGISTRATION.executor_public_key);
    await using earlier = await connect(before.url);
    await claim(earlier, machine, "stream-1");
    await using harness = await connect(bundle.url);
    await claim(harness, machine, "stream-2");
    assert.equal(await validate(gateway, executor, before), true);
    assert.equal(await validate(gateway, executor, bundle), true);

    await using _successor = await connect(later.url);
    assert.equal((await machine.closed).code, 1008);
    const next = await connectOk(gateway, executor);
    assert.equal(next.executor_registration_id, later.executor_registration_id);
    assert.deepEqual(next.executor_public_key, noiseKey(3));
    assert.equal(await validate(gateway, executor, next), true);
    assert.equal(await validate(gateway, executor, bundle), false);
  },
);

gatewayTest("nor does one of another kind", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using machine = await dialInAsRelay(gateway, executor);
  const { url } = await register(gateway, executor, NOISE_REGISTRATION);
  const answer = await askToConnect(gateway, executor.exe_id);
  assert.equal(answer.status, 400, "it speaks no Noise yet");
  await answer.body?.cancel();
  await using harness = await openRelayBridge(gateway, executor.exe_id);
  await claim(harness, machine, "stream-1");
  await using _noise = await connect(url);
  await machine.closed;
  await connectOk(gateway, executor);
});

gatewayTest(
  "who registers again with an equal key keeps its registration and its URL",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    const first = await register(gateway, executor, NOISE_REGISTRATION);
    await using machine = await connect(first.url);
    await untilConnected(gateway, executor.exe_id);
    const bundle = await connectOk(gateway, executor);
    assert.deepEqual(await register(gateway, executor, NOISE_REGISTRATION), first);
    await using harness = await connect(bundle.url);
    await claim(harness, machine, "stream-1");
    await using _again = await connect(first.url);
    await machine.closed;
    assert.equal(await validate(gateway, executor, bundle), true, "also on its next connection");
  },
);

gatewayTest(
  "what is no registration of a known profile is refused, and says why",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    const { security_profile, executor_public_key: key } = NOISE_REGISTRATION;
    const base64 = (bytes: number) => new Uint8Array(bytes).toBase64();
    const withKey = (change: Record<string, unknown>) => ({
      security_profile,
      executor_public_key: { ...key, ...change },
    });
    const wrong: [body: unknown, message: RegExp][] = [
      [
        { security_profile: "noise_hybrid_ik_v2", executor_public_key: key },
        /profile.*"noise_hybrid_ik_v2"/,
      ],
      [{ security_profile: "", executor_public_key: key }, /security_profile/],
      [{ security_profile: null, executor_public_key: key }, /security_profile/],
      [{ security_profile: ["noise_hybrid_ik_v1"], executor_public_key: key }, /security_profile/],
      [{ security_profile: "x".repeat(10_000), executor_public_key: key }, /security_profile/],
      [{ executor_public_key: key }, /security_profile/],
      [{ security_profile }, /executor_public_key/],
      [{ security_profile, executor_public_key: "x" }, /executor_public_key/],
      [withKey({ suite: "Noise_IK_25519_AESGCM_SHA256" }), /suite.*"Noise_IK_25519_AESGCM_SHA256"/],
      [withKey({ suite: undefined }), /suite/],
      [withKey({ x25519_public_key: undefined }), /x25519_public_key.*32 bytes/],
      [withKey({ x25519_public_key: base64(31) }), /x25519_public_key.*32 bytes/],
      [withKey({ x25519_public_key: base64(33) }), /x25519_public_key.*32 bytes/],
      [withKey({ x25519_public_key: base64(32).replace("=", "") }), /x25519_public_key/],
      [withKey({ x25519_public_key: ` ${base64(32)}` }), /x25519_public_key/],
      [withKey({ x25519_public_key: base64(32).replace("A", "-") }), /x25519_public_key/],
      [withKey({ mlkem768_public_key: base64(1183) }), /mlkem768_public_key.*1184 bytes/],
      [withKey({ mlkem768_public_key: 7 }), /mlkem768_public_key/],
    ];
    const machine = await dialInAsNoise(gateway, executor);
    for (const [body, message] of wrong) {
      const { status, error } = await ask(gateway, executor, body);
      assert.deepEqual([status, error.code], [400, "bad_request"], JSON.stringify(body));
      assert.match(error.message, message);
      assert.ok(error.message.length <= 300, error.message);
    }
    await connectOk(gateway, executor);
    await machine[Symbol.asyncDispose]();

    // What a later release may add is kept, and handed back as it came.
    const more = { ...withKey({ hint: { a: [1] } }), release: "0.180.0" };
    await using _machine = await connect((await register(gateway, executor, more)).url);
    await until("the newer one is connected", async () => {
      const { executor_public_key } = await connectOk(gateway, executor);
      return JSON.stringify(executor_public_key) === JSON.stringify(more.executor_public_key);
    });
  },
);

gatewayTest("connect refuses a harness key of another suite", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using _machine = await dialInAsNoise(gateway, executor);
  const connectWith = async (harness_public_key: unknown) => {
    const response = await fetch(`${gateway.url}/cloud/environment/${executor.exe_id}/connect`, {
      method: "POST",
      headers: { authorization: `Bearer ${await gateway.capToken(executor.exe_id)}` },
      body: JSON.stringify({ harness_public_key }),
    });
    return [response.status, (await response.json()).error?.message];
  };
  const [status, message] = await connectWith({ ...HARNESS_KEY, suite: "Noise_IK" });
  assert.equal(status, 400);
  assert.match(message, /harness_public_key\.suite must be Noise_hybridIK.*"Noise_IK"/);
  assert.equal((await connectWith({ ...HARNESS_KEY, more: 1 }))[0], 200);
});

forEachDatabase("a ticket ends ten minutes after it was last of use", async (database) => {
  let executors: { executor: CreatedExecutor; path: string }[];
  {
    await using gateway = await startGateway(database);
    executors = await Promise.all([NOISE_REGISTRATION, undefined, { idempotency_id: "i" }].map(
      async (body) => {
        const executor = await gateway.createExecutor();
        return { executor, path: pathOf((await register(gateway, executor, body)).url) };
      },
    ));
  }
  // Never dialled yet, and then after its connection.
  for (let round = 0; round < 2; round++) {
    await letMinutesPass(database, 9);
    await using gateway = await startGateway(database);
    for (const { executor, path } of executors) {
      await using _machine = await connect(gateway.wsUrl + path);
      await untilConnected(gateway, executor.exe_id);
    }
    for (const { executor } of executors) await untilGone(gateway, executor.exe_id);
  }
  await letMinutesPass(database, 11);
  await using gateway = await startGateway(database);
  for (const { executor, path } of executors) {
    const { status, body } = await handshake(gateway.wsUrl + path);
    assert.equal(status, 401);
    assert.match(body, /register/);
    const again = await register(gateway, executor, NOISE_REGISTRATION);
    assert.equal((await handshake(gateway.wsUrl + path)).status, 401, "and it stays so");
    assert.equal((await handshake(again.url)).status, 101);
  }
});

onPostgres(
  "while a connection lasts its ticket is good, and ten minutes longer",
  async (database) => {
    await using gateway = await startGateway(database);
    const executor = await gateway.createExecutor();
    const { url } = await register(gateway, executor, NOISE_REGISTRATION);
    await using machine = await connect(url);
    await untilConnected(gateway, executor.exe_id);
    await usedWithinMinutes(5);
    // As when the store was away all the while.
    await letMinutesPass(database, 60);
    await using again = await connect(url);
    assert.equal((await machine.closed).code, 1008, "the newer one replaces it");
    await usedWithinMinutes(5);
    await letMinutesPass(database, 60);
    again.close();
    await untilGone(gateway, executor.exe_id);
    await usedWithinMinutes(5);
    assert.equal((await handshake(url)).status, 101);

    async function usedWithinMinutes(minutes: number): Promise<void> {
      await until(
        "it is noted",
        () =>
          withDatabase(database, async (queries) =>
            (await queries.query(
              "SELECT 1 FROM registrations WHERE last_used_at > now() - make_interval(mins => $1::int)",
              [minutes],
            )).length === 1),
      );
    }
  },
);

forEachDatabase(
  "an executor comes back after its gateway was killed, for ten minutes",
  async (database) => {
    let executor: CreatedExecutor, path: string;
    {
      await using gateway = await GatewayProcess.start(database);
      executor = await gateway.createExecutor();
      path = pathOf((await register(gateway, executor, NOISE_REGISTRATION)).url);
      await using _machine = await connect(gateway.wsUrl + path);
      await untilConnected(gateway, executor.exe_id);
      gateway.kill("SIGKILL");
      await gateway.exited;
    }
    await letMinutesPass(database, 9);
    {
      await using gateway = await GatewayProcess.start(database);
      await using _machine = await connect(gateway.wsUrl + path);
      await untilConnected(gateway, executor.exe_id);
      const bundle = await connectOk(gateway, executor);
      assert.deepEqual(bundle.executor_public_key, NOISE_REGISTRATION.executor_public_key);
      assert.equal(await validate(gateway, executor, bundle), true);
      gateway.kill("SIGKILL");
      await gateway.exited;
    }
    await letMinutesPass(database, 11);
    await using gateway = await startGateway(database);
    assert.equal((await handshake(gateway.wsUrl + path)).status, 401);
  },
);

onPostgres("two processes agree on which registration is live", async (database) => {
  await using one = await startGateway(database);
  await using other = await startGateway(database);
  const executor = await one.createExecutor();
  await using _machine = await dialInAsNoise(one, executor);
  const bundle = await connectOk(one, executor);
  assert.equal(await validate(other, executor, bundle), true, "asked where it is not connected");
  const later = await register(other, executor, noiseRegistration(3));
  assert.equal(await validate(other, executor, bundle), true, "and it has not dialled in");
  await using _successor = await connect(later.url);
  await untilConnected(other, executor.exe_id);
  const next = await connectOk(other, executor);
  assert.equal(next.executor_registration_id, later.executor_registration_id);
  assert.equal(await validate(other, executor, bundle), false);
  // The first still has the connection that the executor has left without a word.
  await until("the first hears of the dial", () => validate(one, executor, next));
});

onPostgres("a ticket ends with its executor's registration token", async (database) => {
  await using gateway = await startGateway(database);
  const executor = await gateway.createExecutor();
  const { url } = await register(gateway, executor, NOISE_REGISTRATION);
  assert.equal((await handshake(url)).status, 101);
  await withDatabase(
    database,
    (queries) => queries.query("UPDATE executors SET registration_token_hash = 'another'", []),
  );
  assert.equal((await handshake(url)).status, 401);
});

/** What a gateway answers to a register call. */
async function ask(
  gateway: { url: string },
  { exe_id, registration_token }: CreatedExecutor,
  body: unknown,
): Promise<{ status: number; error: { code: string; message: string } }> {
  const response = await fetch(`${gateway.url}/cloud/environment/${exe_id}/register`, {
    method: "POST",
    headers: { authorization: `Bearer ${registration_token}` },
    body: JSON.stringify(body),
  });
  return { status: response.status, error: (await response.json()).error ?? {} };
}

/** What follows a gateway's address in a URL that it has handed out. */
function pathOf(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}
