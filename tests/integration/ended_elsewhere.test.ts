/**
 * Two gateways on one PostgreSQL database: what ends at one ends at the other, by whomever.
 *
 * @module
 */
import assert from "node:assert/strict";
import { deriveTickets } from "../../src/auth/tickets.ts";
import type { StoreOptions } from "../../src/store/store.ts";
import { onPostgres } from "../support/databases.ts";
import { dialIn, greet, openBridge } from "../support/exclusive.ts";
import {
  type CreatedExecutor,
  gatewayTest,
  SECRETS,
  startGateway,
  type TestGateway,
} from "../support/gateway.ts";
import { withDatabase } from "../support/registrations.ts";
import {
  claim,
  connectOk,
  dialInAsNoise,
  dialInAsRelay,
  NOISE_REGISTRATION,
  openNoiseBridge,
  openRelayBridge,
  parseFrame,
  register,
} from "../support/relay.ts";
import { dialInDirect } from "../support/signed.ts";
import { connect, handshake, type Peer } from "../support/websocket.ts";

const REMOVED = { code: 1008, reason: "executor removed" };
const REPLACED = { code: 1008, reason: "the registration token was replaced" };
const REVOKED = { code: 1008, reason: "the workspace was revoked" };

/** Each kind of executor, dialled in, with a harness that is joined to it. */
async function everyKind(gateway: TestGateway, stack: AsyncDisposableStack) {
  const make = () => gateway.createExecutor();
  const [text, relay, noise] = [await make(), await make(), await make()];
  const direct = await gateway.createExecutor("ws_test", { direct: true });
  const joined = [
    { executor: text, machine: await dialIn(gateway, text) },
    { executor: direct, machine: await dialInDirect(gateway, direct) },
    { executor: relay, machine: await dialInAsRelay(gateway, relay) },
    { executor: noise, machine: await dialInAsNoise(gateway, noise) },
  ];
  const harnesses: Peer[] = [];
  for (const { executor: { exe_id }, machine } of joined) {
    stack.use(machine);
    const open = exe_id === noise.exe_id ? openNoiseBridge : openRelayBridge;
    const isText = exe_id === text.exe_id || exe_id === direct.exe_id;
    const harness = isText ? await openBridge(gateway, exe_id) : await open(gateway, exe_id);
    harnesses.push(stack.use(harness));
    if (isText) await greet(harness, machine);
    else await claim(harness, machine, `stream-${exe_id}`);
  }
  return joined.map((each, i) => ({ ...each, harness: harnesses[i]! }));
}

const REMOVALS: Readonly<
  Record<string, (other: TestGateway, database: StoreOptions, exeId: string) => Promise<void>>
> = {
  "another gateway": async (other, _, exeId) => {
    const { status } = await other.call("DELETE", `/api/codex-exec/executors/${exeId}`);
    assert.equal(status, 204);
  },
  "whoever writes the table": (_, database, exeId) =>
    withDatabase(database, async (sql) => {
      await sql.query("DELETE FROM executors WHERE exe_id = $1", [exeId]);
    }),
};

for (const [who, remove] of Object.entries(REMOVALS)) {
  onPostgres(`what ${who} removes ends here, and is refused`, async (database) => {
    await using stack = new AsyncDisposableStack();
    const here = stack.use(await startGateway(database));
    const other = stack.use(await startGateway(database));
    for (const { executor, machine, harness } of await everyKind(here, stack)) {
      await remove(other, database, executor.exe_id);
      assert.deepEqual(await machine.closed, REMOVED);
      assert.equal((await harness.closed).code, 1008);
      assert.equal(await bridgeStatus(here, executor.exe_id), 503);
      const { exe_id, registration_token } = executor;
      const again = `${here.wsUrl}/codex-exec/${exe_id}?token=${registration_token}`;
      assert.equal((await handshake(again)).status, 401);
    }
  });
}

onPostgres(
  "another registration token ends the link here, its ticket, and nothing of the new token's",
  async (database) => {
    await using stack = new AsyncDisposableStack();
    const here = stack.use(await startGateway(database));
    const other = stack.use(await startGateway(database));
    for (const { executor, machine, harness } of await everyKind(here, stack)) {
      const { exe_id, registration_token } = executor;
      const ticket = (await register(here, executor, NOISE_REGISTRATION)).url;
      const newer = await rotate(other, executor);
      assert.deepEqual(await machine.closed, REPLACED);
      assert.equal((await harness.closed).code, 1008);
      assert.equal((await handshake(ticket)).status, 401);
      const old = `${here.wsUrl}/codex-exec/${exe_id}?token=${registration_token}`;
      assert.equal((await handshake(old)).status, 401);
      await using next = await dialIn(here, newer);
      // What it was asked since was answered, and has not ended the new one.
      await seesWhatIsEnded(here, other);
      await using joined = await openBridge(here, exe_id);
      await greet(joined, next);
    }
  },
);

onPostgres("a hash that somebody writes ends the link here too", async (database) => {
  await using here = await startGateway(database);
  const executor = await here.createExecutor();
  await using machine = await dialInAsRelay(here, executor);
  await withDatabase(database, async (sql) => {
    await sql.query(
      "UPDATE executors SET registration_token_hash = 'another' WHERE exe_id = $1",
      [executor.exe_id],
    );
  });
  assert.deepEqual(await machine.closed, REPLACED);
});

onPostgres(
  "what another gateway revokes of a workspace ends here, and nothing else",
  async (database) => {
    await using stack = new AsyncDisposableStack();
    const here = stack.use(await startGateway(database));
    const other = stack.use(await startGateway(database));
    const relay = await here.createExecutor();
    const machine = stack.use(await dialInAsRelay(here, relay));
    const noise = await here.createExecutor();
    const encrypted = stack.use(await dialInAsNoise(here, noise));
    const open = async (workspace_id: string, iat: number) => {
      const token = await here.capToken(relay.exe_id, { workspace_id, iat });
      const url = `${here.wsUrl}/bridge/${relay.exe_id}?role=harness&token=${token}`;
      const harness = stack.use(await connect(url));
      await claim(harness, machine, crypto.randomUUID());
      return { harness, token };
    };
    const now = Math.floor(Date.now() / 1000);
    const mine = await open("ws_mine", now - 10);
    const unknown = await open("ws_mine", 0);
    const far = await open("ws_mine", now + 100_000);
    const newer = await open("ws_mine", now + 200);
    const others = await open("ws_others", now - 10);
    const bundle = await connectOk(here, noise, { workspace_id: "ws_mine", iat: now - 10 });
    const before = stack.use(await connect(bundle.url));
    await claim(before, encrypted, "stream-noise");
    const unused = await connectOk(here, noise, { workspace_id: "ws_mine", iat: now - 10 });

    const response = await other.call("POST", "/api/exec-gateway/revoke-workspace", {
      workspace_id: "ws_mine",
    }, { prefer: "return=representation" });
    const { workspace_id, issued_until, bridges_ended } = await response.json();
    assert.deepEqual([response.status, workspace_id, bridges_ended], [200, "ws_mine", 0]);
    assert(issued_until >= now);

    for (const { harness, token } of [mine, unknown, far]) {
      assert.deepEqual(await harness.closed, REVOKED);
      const refused = await handshake(`${here.wsUrl}/bridge/${relay.exe_id}?token=${token}`);
      assert.equal(refused.status, 401);
      assert.match(JSON.parse(refused.body).error, /workspace was revoked/);
    }
    assert.deepEqual(await before.closed, REVOKED);
    assert.equal((await handshake(unused.url)).status, 401, "nor a ticket that was made before");
    for (let i = 0; i < 3; i++) assert.equal(parseFrame(await machine.next()).body, "reset");
    await claim(newer.harness, machine, "stream-newer");
    await claim(others.harness, machine, "stream-others");
    await open("ws_mine", now + 201);

    await using after = await startGateway(database);
    const token = await here.capToken(relay.exe_id, { workspace_id: "ws_mine", iat: now - 10 });
    const late = await handshake(`${after.wsUrl}/bridge/${relay.exe_id}?token=${token}`);
    assert.equal(late.status, 401, "a gateway that starts later knows");
  },
);

onPostgres("an unbinding elsewhere refuses what stood for the workspace", async (database) => {
  await using stack = new AsyncDisposableStack();
  const options = { workspaceTokens: true };
  const here = stack.use(await startGateway(database, options));
  const other = stack.use(await startGateway(database, options));
  const executor = await here.createExecutor();
  const machine = stack.use(await dialInAsNoise(here, executor));
  const stands = { exe_ids: [] };
  const up = stack.use(await connect((await connectOk(here, executor, stands)).url));
  await claim(up, machine, "stream-up");
  const unused = await connectOk(here, executor, stands);
  const path = `/api/codex-exec/workspaces/ws_test/executors/${executor.exe_id}`;
  const answer = await other.call("DELETE", path, undefined, { prefer: "return=representation" });
  const { not_ended, ...rest } = await answer.json();
  assert.deepEqual(rest, {
    workspace_id: "ws_test",
    exe_id: executor.exe_id,
    was_bound: true,
    // Of that process.
    bridges_left: 0,
  });
  assert.match(not_ended, /bridges that are up go on/);
  assert.equal(await bridgeStatus(here, executor.exe_id, stands), 403);
  assert.equal((await handshake(unused.url)).status, 403, "nor a ticket that was made before");
  // What it does not end.
  await claim(up, machine, "stream-up-2");
  const named = stack.use(await connect((await connectOk(here, executor)).url));
  await claim(named, machine, "stream-named");
  const again = await here.call("DELETE", path, undefined, { prefer: "return=representation" });
  const { was_bound, bridges_left } = await again.json();
  assert.deepEqual([was_bound, bridges_left], [false, 2]);
});

gatewayTest("a ticket is not good where its token is not any more", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using machine = await dialInAsNoise(gateway, executor);
  const now = Math.floor(Date.now() / 1000);
  const { harness } = await deriveTickets(new TextEncoder().encode(SECRETS.capToken));
  /** A ticket as `connect` gives it, but for its token, which has expired meanwhile. */
  const expired = async (turn_id: string) => {
    const url = new URL((await connectOk(gateway, executor, { turn_id, exp: now + 3600 })).url);
    const ticket = (await harness.open(url.searchParams.get("token")!))!;
    assert.equal(ticket.token_exp, now + 3600, "it says when its token expires");
    url.searchParams.set("token", await harness.seal({ ...ticket, token_exp: now - 1 }));
    return url.href;
  };
  const refused = await handshake(await expired("turn_short"));
  assert.equal(refused.status, 401);
  assert.match(JSON.parse(refused.body).error, /capability token expired/);
  // As its token would be.
  await using up = await openNoiseBridge(gateway, executor.exe_id, { turn_id: "turn_goes_on" });
  await claim(up, machine, "stream-up");
  assert.equal((await handshake(await expired("turn_goes_on"))).status, 101);
});

/** Gives the executor another registration token. */
async function rotate(gateway: TestGateway, { exe_id }: CreatedExecutor): Promise<CreatedExecutor> {
  const path = `/api/codex-exec/executors/${exe_id}/registration-token`;
  const response = await gateway.call("POST", path, {});
  if (response.status !== 200) throw new Error(await response.text());
  return await response.json();
}

/** Waits until a gateway has heard of what was ended elsewhere until now. */
async function seesWhatIsEnded(here: TestGateway, other: TestGateway): Promise<void> {
  const marker = await here.createExecutor();
  await using machine = await dialIn(here, marker);
  const { status } = await other.call("DELETE", `/api/codex-exec/executors/${marker.exe_id}`);
  assert.equal(status, 204);
  assert.deepEqual(await machine.closed, REMOVED);
}

async function bridgeStatus(
  gateway: TestGateway,
  exeId: string,
  claims = {},
): Promise<number> {
  return (await handshake(`${gateway.wsUrl}/bridge/${exeId}`, {
    authorization: `Bearer ${await gateway.capToken(exeId, claims)}`,
  })).status;
}
