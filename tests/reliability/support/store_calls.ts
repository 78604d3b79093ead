/**
 * Every call of the gateway's that needs its store, and how it is answered.
 *
 * @module
 */
import assert from "node:assert/strict";
import { dialIn } from "../../support/exclusive.ts";
import type { CreatedExecutor, GatewayClient } from "../../support/gateway.ts";
import {
  askToConnect,
  dialInAsNoise,
  HARNESS_KEY,
  NOISE_REGISTRATION,
  register,
} from "../../support/relay.ts";
import { handshake, type Peer } from "../../support/websocket.ts";

/** How a call was answered. */
export interface Answered {
  name: string;
  status: number;
  body: string;
  /** From the call to the end of its answer, in milliseconds. */
  ms: number;
}

interface Call {
  name: string;
  /** The status when the store answers. */
  good: number;
  ask: () => Promise<{ status: number; body: string }>;
}

/** The calls, with executors to make them for. Disposing hangs up. */
export class StoreCalls implements AsyncDisposable {
  readonly #calls: readonly Call[];
  readonly #peers: readonly Peer[];

  private constructor(calls: readonly Call[], peers: readonly Peer[]) {
    this.#calls = calls;
    this.#peers = peers;
  }

  /** Makes the executors; the gateway's store has to answer for this. */
  static async of(gateway: GatewayClient): Promise<StoreCalls> {
    const noise = await gateway.createExecutor();
    const noiseMachine = await dialInAsNoise(gateway, noise);
    const exclusive = await gateway.createExecutor();
    const exclusiveMachine = await dialIn(gateway, exclusive);
    const coming = await gateway.createExecutor();
    const ticketed = await gateway.createExecutor();
    const ticketUrl = (await register(gateway, ticketed)).url;
    const registration = await (await askToConnect(gateway, noise.exe_id)).json();
    const calls = list(gateway, { noise, coming, ticketUrl, registration });
    return new StoreCalls(calls, [noiseMachine, exclusiveMachine]);
  }

  get count(): number {
    return this.#calls.length;
  }

  /** Makes the `n`th call, counted round and round. */
  async make(n: number): Promise<Answered> {
    const { name, ask } = this.#calls[n % this.#calls.length]!;
    const started = performance.now();
    const { status, body } = await ask();
    return { name, status, body, ms: performance.now() - started };
  }

  /** Makes each call, one after the other. */
  async makeEach(): Promise<Answered[]> {
    const answers = [];
    for (let n = 0; n < this.#calls.length; n++) answers.push(await this.make(n));
    return answers;
  }

  /** Makes so many calls at once: of one kind, or of each about as many. */
  async makeAtOnce(count: number, kind?: "register an executor"): Promise<Answered[]> {
    const only = this.#calls.findIndex(({ name }) => name === kind);
    return await Promise.all(
      Array.from({ length: count }, (_, n) => this.make(only === -1 ? n : only)),
    );
  }

  /** Makes each call and checks that it is answered as when the store does. */
  async assertGood(): Promise<void> {
    const answers = await this.makeEach();
    assert.deepEqual(
      answers.map(({ name, status }) => [name, status]),
      this.#calls.map(({ name, good }) => [name, good]),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) await peer[Symbol.asyncDispose]();
  }
}

interface Parts {
  /** A Noise executor that is connected. */
  noise: CreatedExecutor;
  /** One that is not. */
  coming: CreatedExecutor;
  /** A `/codex-exec` URL with a good ticket. */
  ticketUrl: string;
  /** What `connect` said of the Noise executor. */
  registration: { executor_registration_id: string; harness_key_authorization: string };
}

function list(gateway: GatewayClient, parts: Parts): Call[] {
  const { noise, coming, ticketUrl, registration } = parts;
  const api = (name: string, good: number, method: string, path: string, body?: unknown): Call => ({
    name,
    good,
    ask: () => read(gateway.call(method, path, body, { "x-user-id": "user_test" })),
  });
  const cloud = (name: string, path: string, body: unknown): Call => ({
    name,
    good: 200,
    ask: () =>
      read(fetch(`${gateway.url}/cloud/environment/${noise.exe_id}/${path}`, {
        method: "POST",
        headers: { authorization: `Bearer ${noise.registration_token}` },
        body: JSON.stringify(body),
      })),
  });
  const bindings = "/api/codex-exec/workspaces/ws_test/executors";
  const dialUrl = `${gateway.wsUrl}/codex-exec/${coming.exe_id}?token=${coming.registration_token}`;
  return [
    api("register an executor", 201, "POST", "/api/codex-exec/register", {}),
    api("remove an executor", 204, "DELETE", "/api/codex-exec/executors/exe_none"),
    api("bind", 201, "POST", bindings, { exe_id: coming.exe_id }),
    api("bind as default", 201, "POST", bindings, { exe_id: noise.exe_id, is_default: true }),
    api("unbind", 204, "DELETE", `${bindings}/exe_none`),
    api("list", 200, "GET", bindings),
    api("connected", 200, "GET", "/api/exec-gateway/connected?workspace_id=ws_test"),
    api("revoke a turn", 204, "POST", "/api/exec-gateway/revoke-turn", { turn_id: "turn_none" }),
    cloud("validate", "validate", { ...registration, harness_public_key: HARNESS_KEY }),
    { name: "connect", good: 200, ask: () => read(askToConnect(gateway, noise.exe_id)) },
    {
      name: "register a connection",
      good: 200,
      ask: () =>
        read(fetch(`${gateway.url}/cloud/environment/${coming.exe_id}/register`, {
          method: "POST",
          headers: { authorization: `Bearer ${coming.registration_token}` },
          body: JSON.stringify(NOISE_REGISTRATION),
        })),
    },
    { name: "dial in with the registration token", good: 101, ask: () => handshake(dialUrl) },
    { name: "dial in with a ticket", good: 101, ask: () => handshake(ticketUrl) },
    { name: "/readyz", good: 200, ask: () => read(fetch(`${gateway.url}/readyz`)) },
  ];
}

async function read(response: Promise<Response>): Promise<{ status: number; body: string }> {
  const { status } = await response;
  return { status, body: await (await response).text() };
}
