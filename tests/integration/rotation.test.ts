/**
 * The secret of capability tokens replaced, with the one before it kept for a while.
 *
 * @module
 */
import assert from "node:assert/strict";
import { deriveTickets } from "../../src/auth/tickets.ts";
import { forEachDatabase } from "../support/databases.ts";
import { untilConnected } from "../support/exclusive.ts";
import { type CreatedExecutor, SECRETS, startGateway } from "../support/gateway.ts";
import {
  connectOk,
  dialInAsNoise,
  NOISE_REGISTRATION,
  register,
  validate,
} from "../support/relay.ts";
import { registerDirect, upgradeDirect } from "../support/signed.ts";
import { connect, handshake } from "../support/websocket.ts";

const OLD = new TextEncoder().encode(SECRETS.capToken);
const NEXT = new TextEncoder().encode("the-next-captoken-hmac-secret-0123456789");

forEachDatabase(
  "what the previous secret has signed goes on until it is dropped",
  async (store) => {
    /** What was made before the rotation. */
    const before = await (async () => {
      await using gateway = await startGateway(store);
      const noise = await gateway.createExecutor();
      const direct = await gateway.createExecutor("ws_test", { direct: true });
      const { url } = await register(gateway, noise, NOISE_REGISTRATION);
      await using _machine = await connect(url);
      await untilConnected(gateway, noise.exe_id);
      const bundle = await connectOk(gateway, noise);
      const { registration_id } = JSON.parse((await registerDirect(gateway, direct)).body);
      const token = await gateway.capToken(noise.exe_id);
      return { noise, direct, ticket: tokenOf(url), bundle, registration_id, token };
    })();
    const { noise, direct, ticket, bundle, token } = before;
    const dialled = `codex-exec/${noise.exe_id}?token=${ticket}`;
    let later: CreatedExecutor;
    {
      await using gateway = await startGateway(store, {
        capTokenHmacSecret: NEXT,
        capTokenHmacSecretPrevious: OLD,
      });
      await using _machine = await connect(`${gateway.wsUrl}/${dialled}`);
      await untilConnected(gateway, noise.exe_id);
      const bridge = `${gateway.wsUrl}/bridge/${noise.exe_id}?token=`;
      assert.equal((await handshake(bridge + token)).status, 101, "a capability token");
      assert.equal((await handshake(bridge + tokenOf(bundle.url))).status, 101, "a ticket");
      assert.equal(await validate(gateway, noise, bundle), true, "an authorization");
      const registered = await registerDirect(gateway, direct);
      assert.equal(registered.status, 200, registered.body);
      assert.equal(JSON.parse(registered.body).registration_id, before.registration_id);
      assert.equal((await upgradeDirect(gateway, direct)).status, 101);
      // What is made from then on is the new one's alone.
      const made = tokenOf((await connectOk(gateway, noise)).url);
      assert.equal(await (await deriveTickets(OLD)).harness.open(made), undefined);
      assert.ok(await (await deriveTickets(NEXT)).harness.open(made));
      later = await gateway.createExecutor("ws_test", { direct: true });
      assert.equal((await registerDirect(gateway, later)).status, 200);
    }
    await using gateway = await startGateway(store, { capTokenHmacSecret: NEXT });
    assert.equal((await handshake(`${gateway.wsUrl}/${dialled}`)).status, 401, "a ticket");
    await using _machine = await dialInAsNoise(gateway, noise);
    const bridge = `${gateway.wsUrl}/bridge/${noise.exe_id}?token=`;
    assert.match((await handshake(bridge + token)).body, /bad capability token signature/);
    assert.match((await handshake(bridge + tokenOf(bundle.url))).body, /bad ticket signature/);
    assert.equal(await validate(gateway, noise, bundle), false);
    assert.equal((await registerDirect(gateway, direct)).status, 401);
    assert.equal((await registerDirect(gateway, later)).status, 200);
  },
);

function tokenOf(url: string): string {
  return new URL(url).searchParams.get("token")!;
}
