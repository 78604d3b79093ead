/**
 * Relay executors and harnesses as bare websockets, and relay frames built and read by hand, so that
 * the tests do not lean on the code under test.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { CapClaims } from "../../src/auth/capability_token.ts";
import { untilConnected } from "./exclusive.ts";
import type { CreatedExecutor, GatewayClient } from "./gateway.ts";
import { fetchFrom } from "./trust.ts";
import { connect, type Message, type Peer } from "./websocket.ts";

/** The bodies of a relay frame, by their field numbers (protocol.md section 5). */
export const FIELDS = {
  data: 5,
  ack: 6,
  resume: 7,
  reset: 8,
  heartbeat: 9,
  handshake: 10,
} as const;

/** A relay frame's stream and body. */
export interface Frame {
  streamId: string;
  body: keyof typeof FIELDS;
  payload: Uint8Array;
}

/** Encodes a relay frame. */
export function frame(
  streamId: string,
  body: keyof typeof FIELDS,
  payload: Uint8Array = new Uint8Array(),
  version = 1,
): Uint8Array<ArrayBuffer> {
  const id = Buffer.from(streamId);
  return new Uint8Array(Buffer.concat([
    Buffer.from([1 << 3, version]),
    Buffer.from([2 << 3 | 2, ...varint(id.length)]),
    id,
    Buffer.from([FIELDS[body] << 3 | 2, ...varint(payload.length)]),
    payload,
  ]));
}

/** Decodes a frame that {@linkcode frame} or the gateway made. */
export function parseFrame(message: Message): Frame {
  if (typeof message === "string") throw new Error(`a text frame: ${message.slice(0, 100)}`);
  let at = 0;
  const read = () => {
    let value = 0;
    for (let shift = 0;; shift += 7) {
      const byte = message[at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  let streamId = "";
  while (at < message.length) {
    const field = read() >> 3;
    const value = read();
    if (field === 1) continue;
    const bytes = message.subarray(at, at += value);
    if (field === 2) {
      streamId = new TextDecoder().decode(bytes);
      continue;
    }
    const body = Object.entries(FIELDS).find(([, number]) => number === field)?.[0];
    return { streamId, body: body as keyof typeof FIELDS, payload: bytes };
  }
  throw new Error("a frame without a body");
}

/** The reason that a Reset gives. */
export function resetReason({ body, payload }: Frame): string {
  if (body !== "reset") throw new Error(`not a Reset but ${body}`);
  return new TextDecoder().decode(payload.subarray(2));
}

/** A public key in the form that codex 0.142.5 to 0.171.0 send, of no use to anybody. */
export function noiseKey(fill = 1) {
  return {
    suite: "Noise_hybridIK_X25519+MLKEM768_AESGCM_SHA256",
    x25519_public_key: Buffer.alloc(32, fill).toString("base64"),
    mlkem768_public_key: Buffer.alloc(1184, fill).toString("base64"),
  };
}

/** What a Noise executor registers with; each process of one has a key of its own. */
export function noiseRegistration(fill?: number) {
  return { security_profile: "noise_hybrid_ik_v1", executor_public_key: noiseKey(fill) };
}

/** What a Noise executor registers with. */
export const NOISE_REGISTRATION = noiseRegistration();

/** Registers as codex 0.131 to 0.140 does (no body), or as a later one (with one). */
export async function register(
  gateway: GatewayClient,
  { exe_id, registration_token }: CreatedExecutor,
  body?: unknown,
): Promise<{ url: string; executor_registration_id?: string; security_profile?: string }> {
  const response = await fetchFrom(`${gateway.url}/cloud/environment/${exe_id}/register`, {
    method: "POST",
    headers: { authorization: `Bearer ${registration_token}` },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (response.status !== 200) throw new Error(await response.text());
  return await response.json();
}

/** The public key of a harness that speaks no Noise. */
export const HARNESS_KEY = noiseKey(2);

/**
 * Calls `connect` as a Noise harness does.
 *
 * @param more what its body has besides
 */
export async function askToConnect(
  gateway: GatewayClient,
  exeId: string,
  claims: Partial<CapClaims> = {},
  more: object = {},
): Promise<Response> {
  return await fetchFrom(`${gateway.url}/cloud/environment/${exeId}/connect`, {
    method: "POST",
    headers: { authorization: `Bearer ${await gateway.capToken(exeId, claims)}` },
    body: JSON.stringify({ harness_public_key: HARNESS_KEY, ...more }),
  });
}

/** What `connect` answers. */
export interface Bundle {
  environment_id: string;
  url: string;
  security_profile: string;
  executor_registration_id: string;
  executor_public_key: unknown;
  harness_key_authorization: string;
}

/** Calls `connect`, which has to answer; see {@linkcode askToConnect}. */
export async function connectOk(
  gateway: GatewayClient,
  { exe_id }: CreatedExecutor,
  claims: Partial<CapClaims> = {},
  more: object = {},
): Promise<Bundle> {
  const response = await askToConnect(gateway, exe_id, claims, more);
  if (response.status !== 200) throw new Error(await response.text());
  return await response.json();
}

/** What `validate` answers to the executor that was shown a bundle, with some of it changed. */
export async function validate(
  gateway: GatewayClient,
  { exe_id, registration_token }: CreatedExecutor,
  { executor_registration_id, harness_key_authorization }: Bundle,
  change: Record<string, unknown> = {},
): Promise<boolean> {
  const response = await fetchFrom(`${gateway.url}/cloud/environment/${exe_id}/validate`, {
    method: "POST",
    headers: { authorization: `Bearer ${registration_token}` },
    body: JSON.stringify({
      executor_registration_id,
      harness_public_key: HARNESS_KEY,
      harness_key_authorization,
      ...change,
    }),
  });
  const answer = await response.json();
  if (response.status !== 200 || Object.keys(answer).join() !== "valid") {
    throw new Error(JSON.stringify(answer));
  }
  return answer.valid;
}

/** Opens a bridge as a Noise harness does. */
export async function openNoiseBridge(
  gateway: GatewayClient,
  exeId: string,
  claims: Partial<CapClaims> = {},
): Promise<Peer> {
  const response = await askToConnect(gateway, exeId, claims);
  const { url, error } = await response.json();
  if (url === undefined) throw new Error(error.message);
  return await connect(url);
}

/** Registers and dials in as a Noise executor. */
export async function dialInAsNoise(
  gateway: GatewayClient,
  executor: CreatedExecutor,
): Promise<Peer> {
  const machine = await connect((await register(gateway, executor, NOISE_REGISTRATION)).url);
  await untilConnected(gateway, executor.exe_id);
  return machine;
}

/** Registers and dials in as a relay executor. */
export async function dialInAsRelay(
  gateway: GatewayClient,
  executor: CreatedExecutor,
): Promise<Peer> {
  const machine = await connect((await register(gateway, executor)).url);
  await untilConnected(gateway, executor.exe_id);
  return machine;
}

/** Opens a bridge as codex 0.131 to 0.140 does. */
export async function openRelayBridge(
  gateway: GatewayClient,
  exeId: string,
  claims: Partial<CapClaims> = {},
): Promise<Peer> {
  const token = await gateway.capToken(exeId, claims);
  return await connect(`${gateway.wsUrl}/bridge/${exeId}?token=${token}&role=harness`);
}

/** Claims a stream, and waits until the executor knows. */
export async function claim(
  harness: Pick<Peer, "send">,
  machine: Peer,
  streamId: string,
): Promise<void> {
  harness.send(frame(streamId, "resume"));
  const claimed = parseFrame(await machine.next());
  if (claimed.body !== "resume" || claimed.streamId !== streamId) {
    throw new Error(`the executor got ${claimed.body} of ${claimed.streamId}`);
  }
}

/** A message whose field 1 holds the bytes: the body of a handshake, or a reset's reason. */
export function withField1(bytes: Uint8Array): Uint8Array {
  return new Uint8Array([0x0a, ...varint(bytes.length), ...bytes]);
}

/** A protobuf varint. */
export function varint(value: number): number[] {
  const bytes = [];
  while (value > 0x7f) {
    bytes.push(value % 0x80 + 0x80);
    value = Math.floor(value / 0x80);
  }
  return [...bytes, value];
}
