/**
 * An expired token is good for a turn that goes on, and for nothing else.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { CapClaims } from "../../src/auth/capability_token.ts";
import { dialIn, greet } from "../support/exclusive.ts";
import { type CreatedExecutor, gatewayTest, type TestGateway } from "../support/gateway.ts";
import { claim, dialInAsNoise, HARNESS_KEY } from "../support/relay.ts";
import { connect, handshake, type Peer } from "../support/websocket.ts";

gatewayTest("a turn whose bridge is up, or just ended, connects again", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using machine = await dialInAsNoise(gateway, executor);
  const turn_id = `turn_${crypto.randomUUID()}`;
  const expired = await expiredToken(gateway, executor, { turn_id });
  assert.equal((await connectWith(gateway, executor, expired)).status, 401, "it has no bridge");

  await using first = await openWith(
    gateway,
    executor,
    await goodToken(gateway, executor, turn_id),
  );
  await claim(first, machine, "stream-1");
  // The gateway may not know yet that the harness was cut off.
  await using second = await openWith(gateway, executor, expired);
  await claim(second, machine, "stream-2");
  for (const [harness, id] of [[first, "stream-1"], [second, "stream-2"]] as const) {
    harness.close();
    // The Reset says that its end is known.
    assert.match(String.fromCharCode(...await machine.next() as Uint8Array), new RegExp(id));
  }
  await using third = await openWith(gateway, executor, expired);
  await claim(third, machine, "stream-3");
});

gatewayTest("an expired token is good for its own turn and executors alone", async (gateway) => {
  const [executor, other] = [await gateway.createExecutor(), await gateway.createExecutor()];
  await using machine = await dialInAsNoise(gateway, executor);
  await using _other = await dialInAsNoise(gateway, other);
  const turn_id = `turn_${crypto.randomUUID()}`;
  await using harness = await openWith(
    gateway,
    executor,
    await goodToken(gateway, executor, turn_id),
  );
  await claim(harness, machine, "stream-1");
  const both = [executor.exe_id, other.exe_id];
  const expired = await expiredToken(gateway, executor, { turn_id, exe_ids: both });
  const refused: [string, CreatedExecutor, string][] = [
    ["another turn's", executor, await expiredToken(gateway, executor, {})],
    ["to another executor", other, expired],
    ["one that does not name it", executor, await expiredToken(gateway, other, { turn_id })],
    ["one that was not signed here", executor, `${expired.slice(0, -8)}AAAAAAAA`],
  ];
  for (const [which, to, token] of refused) {
    assert.equal((await connectWith(gateway, to, token)).status, 401, which);
  }
  assert.equal((await connectWith(gateway, executor, expired)).status, 200);
});

gatewayTest(
  "an expired token of a revoked turn is refused, its bridge up or not",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialInAsNoise(gateway, executor);
    const turn_id = `turn_${crypto.randomUUID()}`;
    await using harness = await openWith(
      gateway,
      executor,
      await goodToken(gateway, executor, turn_id),
    );
    await claim(harness, machine, "stream-1");
    const expired = await expiredToken(gateway, executor, { turn_id });
    assert.equal((await connectWith(gateway, executor, expired)).status, 200);
    const revoked = await gateway.call("POST", "/api/exec-gateway/revoke-turn", { turn_id });
    assert.equal(revoked.status, 204);
    assert.equal((await harness.closed).code, 1008);
    const { status, message } = await connectWith(gateway, executor, expired);
    assert.equal(status, 401);
    // Of the two, the reason that will not go away.
    assert.match(message!, /expired|revoked/);
  },
);

gatewayTest("a harness that dials its bridge again is let in the same way", async (gateway) => {
  const executor = await gateway.createExecutor();
  const turn_id = `turn_${crypto.randomUUID()}`;
  const expired = await expiredToken(gateway, executor, { turn_id });
  const url = `${gateway.wsUrl}/bridge/${executor.exe_id}`;
  const good = await goodToken(gateway, executor, turn_id);
  {
    await using machine = await dialIn(gateway, executor);
    assert.equal((await handshake(`${url}?token=${expired}`)).status, 401);
    await using harness = await connect(`${url}?token=${good}`);
    await greet(harness, machine);
    harness.close();
    await machine.closed;
  }
  // It serves one session a connection, and has dialled in anew.
  await using machine = await dialIn(gateway, executor);
  await using harness = await connect(`${url}?token=${expired}`);
  await greet(harness, machine);
});

function goodToken(gateway: TestGateway, { exe_id }: CreatedExecutor, turn_id: string) {
  return gateway.capToken(exe_id, { turn_id });
}

function expiredToken(
  gateway: TestGateway,
  { exe_id }: CreatedExecutor,
  claims: Partial<CapClaims>,
): Promise<string> {
  return gateway.capToken(exe_id, { exp: Math.floor(Date.now() / 1000) - 60, ...claims });
}

async function connectWith(
  gateway: TestGateway,
  { exe_id }: CreatedExecutor,
  token: string,
): Promise<{ status: number; url?: string; message?: string }> {
  const response = await fetch(`${gateway.url}/cloud/environment/${exe_id}/connect`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    body: JSON.stringify({ harness_public_key: HARNESS_KEY }),
  });
  const { url, error } = await response.json();
  return { status: response.status, url, message: error?.message };
}

async function openWith(
  gateway: TestGateway,
  executor: CreatedExecutor,
  token: string,
): Promise<Peer> {
  const { url, message } = await connectWith(gateway, executor, token);
  if (url === undefined) throw new Error(message);
  return await connect(url);
}
