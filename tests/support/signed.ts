/**
 * Direct executors, as bare calls: each is signed by `aws4`, which shares no line with the gateway.
 *
 * @module
 */
// @ts-types="@types/aws4"
import aws4 from "aws4";
import type { KeyPair } from "../../src/auth/direct_keys.ts";
import type { CreatedExecutor, GatewayClient } from "./gateway.ts";
import { requestTo } from "./trust.ts";
import { connect, handshake, type HandshakeAnswer, type Peer } from "./websocket.ts";
import { untilConnected } from "./exclusive.ts";

/** What codex says in its register call. */
export const DIRECT_BODY = '{"transport":"direct_jsonrpc_v1"}';

/** What is signed, and how; what is absent is as codex has it. */
export interface Signing {
  method?: "GET" | "POST";
  path: string;
  host: string;
  pair: KeyPair;
  /** Signed too, as a header `content-type: application/json` is, when there is one. */
  body?: string;
  region?: string;
  service?: string;
  /** When, in unix milliseconds. */
  at?: number;
  /** Further headers to sign. */
  headers?: Record<string, string>;
  sessionToken?: string;
}

/** Where a call comes from, for a gateway that believes it: each from somewhere else. */
let lastAddress = 0;

/** The headers that a signed request carries, by their lower-case names. */
export function signedHeaders(signing: Signing): Record<string, string> {
  const { path, host, pair, body, region = "us-east-1", service = "execute-api" } = signing;
  const amzDate = new Date(signing.at ?? Date.now()).toISOString().replaceAll(/[-:]|\.\d+/g, "");
  const headers: Record<string, string> = {
    host,
    "x-amz-date": amzDate,
    ...body !== undefined && { "content-type": "application/json" },
    ...signing.headers,
  };
  const unsigned: aws4.Request & { extraHeadersToIgnore: Record<string, boolean> } = {
    method: signing.method ?? (body === undefined ? "GET" : "POST"),
    path,
    service,
    region,
    body,
    headers,
    extraHeadersToIgnore: { "content-length": true },
  };
  const signed = aws4.sign(unsigned, {
    accessKeyId: pair.access_key_id,
    secretAccessKey: pair.secret_access_key,
    sessionToken: signing.sessionToken,
  });
  lastAddress++;
  const from = [10, lastAddress >> 16, lastAddress >> 8, lastAddress].map((byte) => byte & 0xff);
  const all = Object.entries(signed.headers as Record<string, string>);
  return {
    ...Object.fromEntries(all.map(([name, value]) => [name.toLowerCase(), String(value)])),
    "x-forwarded-for": from.join("."),
  };
}

/** What a call was answered with. */
export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** Posts with these very headers, `Host` too; one with several values is sent several times. */
export function post(
  url: string,
  headers: Readonly<Record<string, string | string[]>>,
  body: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { "content-length": _, ...rest } = headers;
    const asked = requestTo(url, { method: "POST", headers: rest });
    asked.on("response", async (answer) => {
      let body = "";
      for await (const chunk of answer.setEncoding("utf8")) body += chunk;
      resolve({ status: answer.statusCode!, headers: answer.headers, body });
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

/** The path of the register call. */
export function registerPath(exeId: string): string {
  return `/cloud/environment/${exeId}/direct/register`;
}

/** Registers as codex does. */
export function registerDirect(
  gateway: GatewayClient,
  { exe_id, direct }: CreatedExecutor,
  signing: Partial<Signing> = {},
): Promise<Answer> {
  const path = registerPath(exe_id);
  const host = `127.0.0.1:${gateway.port}`;
  const headers = signedHeaders({ path, host, pair: direct!, body: DIRECT_BODY, ...signing });
  return post(gateway.url + path, headers, signing.body ?? DIRECT_BODY);
}

/** Asks for the websocket, which is closed again if it is opened. */
export function upgradeDirect(
  gateway: GatewayClient,
  { exe_id, direct }: CreatedExecutor,
  signing: Partial<Signing> = {},
): Promise<HandshakeAnswer> {
  const path = `/codex-exec/${exe_id}`;
  const host = `127.0.0.1:${gateway.port}`;
  return handshake(
    gateway.wsUrl + path,
    signedHeaders({ path, host, pair: direct!, ...signing }),
  );
}

/** Dials in, and waits until the gateway has it. */
export async function dialInDirect(
  gateway: GatewayClient,
  { exe_id, direct }: CreatedExecutor,
  signing: Partial<Signing> = {},
): Promise<Peer> {
  const path = `/codex-exec/${exe_id}`;
  const host = `127.0.0.1:${gateway.port}`;
  const { host: _, ...headers } = signedHeaders({ path, host, pair: direct!, ...signing });
  const peer = await connect(gateway.wsUrl + path, headers);
  await untilConnected(gateway, exe_id);
  return peer;
}
