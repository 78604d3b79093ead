/**
 * Executors and harnesses of the exclusive kind, as bare websockets.
 *
 * @module
 */
import type { CapClaims } from "../../src/auth/capability_token.ts";
import type { CreatedExecutor, GatewayClient } from "./gateway.ts";
import { connect, type Peer, until } from "./websocket.ts";

/** Dials in with the executor's registration token, and waits until the gateway has it. */
export async function dialIn(
  gateway: GatewayClient,
  { exe_id, registration_token }: CreatedExecutor,
): Promise<Peer> {
  const peer = await connect(`${gateway.wsUrl}/codex-exec/${exe_id}?token=${registration_token}`);
  await untilConnected(gateway, exe_id);
  return peer;
}

/** Waits until the gateway has the executor's connection. */
export function untilConnected(
  gateway: GatewayClient,
  exeId: string,
  timeoutMs?: number,
): Promise<void> {
  const connected = async () => (await gateway.connected()).includes(exeId);
  return until("the executor is connected", connected, timeoutMs);
}

/** Waits until the gateway has no connection of the executor. */
export function untilGone(gateway: GatewayClient, exeId: string): Promise<void> {
  return until("the executor is gone", async () => !(await gateway.connected()).includes(exeId));
}

/** Opens a bridge to an executor, for a turn of its own unless the claims say otherwise. */
export async function openBridge(
  gateway: GatewayClient,
  exeId: string,
  claims: Partial<CapClaims> = {},
): Promise<Peer> {
  return await connect(`${gateway.wsUrl}/bridge/${exeId}`, {
    authorization: `Bearer ${await gateway.capToken(exeId, claims)}`,
  });
}

/** Sends through the bridge until the executor gets it: only then is the bridge surely up. */
export async function greet(harness: Peer, executor: Peer): Promise<void> {
  harness.send("hello");
  const greeting = await executor.next();
  if (greeting !== "hello") throw new Error(`the executor got ${greeting}`);
}
