import { METHODS, oddPathId } from "./paths.ts";
import { BODY_FIELDS, bodyBytes } from "./bodies.ts";
import type { LiveGateway } from "./live.ts";
import { mutateText, ODD_TEXTS, oddText } from "./mutate.ts";
import type { Random } from "./random.ts";
import { type Answer, exchange, fromLatin1, latin1 } from "./raw_http.ts";
import { hold, showJson, type Target } from "./target.ts";

/** A request; `{{name}}` stands for what only the run knows. All texts are one byte a character. */
export interface HttpInput {
  method: string;
  target: string;
  headers: [string, string][];
  body: string;
  /** How the body's end is told: truly, by chunks, or not as it is. */
  length: "true" | "chunked" | "none" | { claimed: string };
  /** What the bytes are spoilt with, after all. */
  spoilt?: number;
}

interface Endpoint {
  method: string;
  path: string;
  ids: readonly string[];
  body?: keyof typeof BODY_FIELDS;
  /** Whose good credential lets the request through; "bcrypt" where a check takes 60 ms. */
  credential: "none" | "internal" | "shared" | "capability" | "bcrypt" | "signature";
}

const WORKSPACE = "/api/codex-exec/workspaces/";
const HARNESS_IDS = ["{{relay}}", "{{noise}}", "{{absent}}"];

const ENDPOINTS: readonly Endpoint[] = [
  { method: "GET", path: "/healthz", ids: [], credential: "none" },
  { method: "GET", path: "/readyz", ids: [], credential: "none" },
  { method: "GET", path: "/bridge/:id", ids: HARNESS_IDS, credential: "capability" },
  { method: "GET", path: "/codex-exec/:id", ids: ["{{dialler}}"], credential: "bcrypt" },
  ...["executor", "environment"].flatMap((kind) =>
    ["noise", "exclusive"].map((body): Endpoint => ({
      method: "POST",
      path: `/cloud/${kind}/:id/register`,
      ids: ["{{absent}}"],
      body,
      credential: "bcrypt",
    }))
  ),
  {
    method: "POST",
    path: "/cloud/environment/:id/direct/register",
    ids: ["{{absent}}"],
    body: "direct",
    credential: "signature",
  },
  { method: "GET", path: "/codex-exec/:id", ids: ["{{absent}}"], credential: "signature" },
  {
    method: "POST",
    path: "/cloud/environment/:id/connect",
    ids: HARNESS_IDS,
    body: "connect",
    credential: "capability",
  },
  {
    method: "POST",
    path: "/cloud/environment/:id/validate",
    ids: ["{{absent}}"],
    body: "validate",
    credential: "bcrypt",
  },
  {
    method: "POST",
    path: "/api/codex-exec/register",
    ids: [],
    body: "register",
    credential: "internal",
  },
  {
    method: "DELETE",
    path: "/api/codex-exec/executors/:id",
    ids: ["{{doomed}}"],
    credential: "internal",
  },
  {
    method: "POST",
    path: `${WORKSPACE}:w/executors`,
    ids: ["ws_fuzz"],
    body: "bind",
    credential: "internal",
  },
  { method: "GET", path: `${WORKSPACE}:w/executors`, ids: ["ws_fuzz"], credential: "internal" },
  {
    method: "DELETE",
    path: `${WORKSPACE}:w/executors/{{absent}}`,
    ids: ["ws_fuzz"],
    credential: "internal",
  },
  {
    method: "GET",
    path: "/api/exec-gateway/connected?workspace_id=:w",
    ids: ["ws_fuzz", "ws_test"],
    credential: "shared",
  },
  {
    method: "POST",
    path: "/api/exec-gateway/revoke-turn",
    ids: [],
    body: "revoke",
    credential: "shared",
  },
];

const UPGRADE: readonly [string, string][] = [
  ["connection", "Upgrade"],
  ["upgrade", "websocket"],
  ["sec-websocket-version", "13"],
  ["sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="],
];

const ODD_HEADERS: readonly string[] = [
  "authorization",
  "x-internal-secret",
  "x-user-id",
  "x-forwarded-proto",
  "x-forwarded-for",
  "host",
  "upgrade",
  "connection",
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-protocol",
  "sec-websocket-extensions",
  "expect",
  "te",
  "trailer",
  "range",
  "accept-encoding",
  "content-type",
  "content-encoding",
  "cookie",
  "__proto__",
];

/** What the contract knows, with 431 and the like left to the HTTP server below the gateway. */
const STATUSES: readonly number[] = [
  101,
  200,
  201,
  204,
  400,
  401,
  403,
  404,
  405,
  409,
  413,
  426,
  429,
  503,
];

/** How many characters of a shown input a person still reads. */
const SHOWN = 6_000;

function asksForUpgrade({ headers }: HttpInput): boolean {
  return headers.some(([name]) => name.toLowerCase() === "upgrade");
}

/** Requests of every kind, over real TCP. */
export class Http implements Target<HttpInput> {
  readonly name = "http";
  readonly share = 6;
  readonly parallel = 6;
  readonly #live: LiveGateway;

  constructor(live: LiveGateway) {
    this.#live = live;
  }

  generate(random: Random): HttpInput {
    const endpoint = random.pick(ENDPOINTS);
    const target = targetOf(random, endpoint);
    const input = {
      method: random.chance(0.85) ? endpoint.method : random.pick(METHODS),
      target,
      headers: headersOf(random, endpoint, target),
      body: latin1(
        endpoint.body !== undefined || random.chance(0.1)
          ? bodyBytes(random, BODY_FIELDS[endpoint.body ?? "register"]!)
          : new Uint8Array(),
      ),
      length: random.chance(0.75)
        ? "true" as const
        : random.chance(0.6)
        ? "chunked" as const
        : random.chance(0.2)
        ? "none" as const
        : { claimed: random.pick(["0", "1", "-1", "65537", "99999999999999999999", "1, 2", "x"]) },
    };
    return random.chance(0.08) ? { ...input, spoilt: random.uint32() } : input;
  }

  async check(input: HttpInput): Promise<void> {
    const isSound = soundHead(input) && input.spoilt === undefined &&
      (input.length === "true" || input.length === "chunked");
    // The runtime leaves a client that half-closes in the middle of an upgrade without an answer.
    const mayHang = !isSound && asksForUpgrade(input);
    let answer: Answer | undefined;
    try {
      answer = await exchange(this.#live.gateway.port, this.#compose(input), {
        ends: !isSound,
        headOnly: input.method === "HEAD",
        ...mayHang && { timeoutMs: 500 },
      });
    } catch (error) {
      if (mayHang && error instanceof DOMException) return;
      throw error;
    }
    if (answer === undefined) {
      return hold(!isSound, "a sound request is answered");
    }
    const { status } = answer;
    hold(status < 500 || status === 503, `the answer is never ${status}: ${answer.body}`);
    if (!isSound) return;
    hold(STATUSES.includes(status), `${status} is a documented status`);
    checkShape(this.#fill(input.target), input, answer);
  }

  async settle(): Promise<void> {
    await this.#live.check();
  }

  show(input: HttpInput): string {
    const shown = showJson(input);
    return shown.length <= SHOWN
      ? shown
      : `${shown.slice(0, SHOWN)}… (${shown.length} characters; run it again to see it whole)`;
  }

  #compose({ method, target, headers, body, length, spoilt }: HttpInput): Uint8Array {
    const content = this.#fill(body);
    const framing = length === "none" || length === "true" && content === ""
      ? ""
      : length === "chunked"
      ? "transfer-encoding: chunked\r\n"
      : `content-length: ${length === "true" ? content.length : length.claimed}\r\n`;
    const chunks = content === "" ? "" : `${content.length.toString(16)}\r\n${content}\r\n`;
    const bytes = fromLatin1(
      `${method} ${this.#fill(target)} HTTP/1.1\r\n` +
        headers.map(([name, value]) => `${name}: ${this.#fill(value)}\r\n`).join("") +
        `${framing}\r\n${length === "chunked" ? `${chunks}0\r\n\r\n` : content}`,
    );
    if (spoilt === undefined) return bytes;
    const at = spoilt % bytes.length;
    if (spoilt % 3 === 0) return bytes.subarray(0, at);
    bytes[at] = spoilt >>> 24;
    return bytes;
  }

  #fill(text: string): string {
    return text.replaceAll(/\{\{(\w+)\}\}/g, (whole, name) => this.#live.names[name] ?? whole);
  }
}

function targetOf(random: Random, { path, ids, credential }: Endpoint): string {
  let target = path.replace(/:\w+/, () => {
    if (ids.length > 0 && random.chance(0.7)) return random.pick(ids);
    return asPath(oddPathId(random));
  });
  if (random.chance(0.08)) target = asPath(mutateText(random, target));
  if (random.chance(0.05)) target += `?${asPath(oddText(random))}`;
  if (/bridge|codex-exec\/:id/.test(path) && random.chance(0.3)) {
    target += `?token=${asPath(socketToken(random, credential === "bcrypt"))}`;
    if (random.chance(0.3)) target += `&role=${random.pick(["harness", "executor", "", "%00"])}`;
  }
  return random.chance(0.01) ? random.pick(["*", "//", "http://h/healthz", "/?", "/#"]) : target;
}

function socketToken(random: Random, isExecutor: boolean): string {
  const good = isExecutor
    ? ["{{executorTicket}}", "{{executorTicket}}x", "cxgx.e30.AAAA"]
    : ["{{relayToken}}", "{{noiseToken}}", "{{absentToken}}", "{{harnessTicket}}", "cxgh.e30.AAAA"];
  if (random.chance(0.7)) return random.pick(good);
  return isExecutor ? `cxgx.${oddText(random)}` : mutateText(random, random.pick(good));
}

/** As a request line can carry it: no blanks, no controls, one byte a character. */
function asPath(text: string): string {
  return text.replaceAll(/[^\x21-\x7e]/g, (char) => encodeURIComponent(char.toWellFormed()));
}

function headersOf(
  random: Random,
  { method, path, credential }: Endpoint,
  target: string,
): [string, string][] {
  const host = random.chance(0.97) ? "{{host}}" : headerValue(random);
  const headers: [string, string][] = [["host", host]];
  const add = (name: string, value: string) => headers.push([name, value]);
  const isSocket = /bridge|codex-exec\/:id/.test(path);
  if (isSocket && random.chance(0.85)) {
    const upgrade = random.chance(0.7) ? UPGRADE : random.shuffle(UPGRADE).slice(random.below(4));
    for (const [name, value] of upgrade) {
      add(name, random.chance(0.05) ? headerValue(random) : value);
    }
  }
  if (credential === "internal" || credential === "shared") {
    const secret = random.chance(0.85) ? `{{${credential}}}` : headerValue(random);
    if (random.chance(0.7)) add("x-internal-secret", secret);
    else add("authorization", `Bearer ${secret}`);
    // With one, a new executor is made, at the cost of 60 ms.
    if (random.chance(0.15)) add("x-user-id", random.chance(0.6) ? "user" : headerValue(random));
  } else if (credential === "capability" && random.chance(0.8)) {
    const named = /\{\{(relay|noise|absent)\}\}/.exec(target)?.[1];
    const token = random.chance(0.8) && named || random.pick(["relay", "noise", "absent"]);
    add("authorization", `Bearer {{${token}Token}}`);
  } else if (credential === "signature") {
    if (random.chance(0.9)) add("authorization", signature(random, method));
    const date = random.chance(0.9) ? "20261231T235959Z" : headerValue(random);
    if (random.chance(0.9)) add("x-amz-date", date);
  } else if (credential === "bcrypt") {
    // In nearly all of them something that is not even checked.
    if (method === "POST" && random.chance(0.12)) {
      add("authorization", `Bearer ${random.chance(0.8) ? "{{registrationToken}}" : "wrong"}`);
    } else if (random.chance(0.5)) {
      add("authorization", random.pick(["Bearer", "Bearer  ", "Basic eDp5", "bearer a b", ""]));
    }
  }
  for (let more = random.length(4); more > 0; more--) {
    const name = random.pick(ODD_HEADERS);
    // A second credential would be checked by bcrypt, and a second token is no odder than a first.
    if (name === "authorization" && credential === "bcrypt") continue;
    add(name, headerValue(random));
  }
  return random.chance(0.1) ? random.shuffle(headers) : headers;
}

/** An AWS signature that is no good, in most cases for its last part alone. */
function signature(random: Random, method: string): string {
  const signed = method === "GET" ? "host;x-amz-date" : "content-type;host;x-amz-date";
  const text = "AWS4-HMAC-SHA256 Credential=key/20261231/us-east-1/execute-api/aws4_request, " +
    `SignedHeaders=${signed}, Signature=${"0123456789abcdef".repeat(4)}`;
  const odd = random.chance(0.5) ? text : mutateText(random, text);
  return latin1(new TextEncoder().encode(odd.toWellFormed())).replaceAll(/[\r\n\0]/g, "");
}

/** Mostly what a header can carry, and now and then what it cannot. */
function headerValue(random: Random): string {
  const text = random.pick([
    () =>
      random.pick(["https", "http", "wss", "https, http", "Bearer", "websocket", "close", "13"]),
    () => random.pick(["keep-alive, Upgrade", "h2c", "permessage-deflate", "gzip", "100-continue"]),
    () => latin1(new TextEncoder().encode(random.pick(ODD_TEXTS))),
    () => latin1(new TextEncoder().encode(oddText(random).slice(0, 2_000))),
    () => latin1(random.bytes(random.length(40))),
    () => random.chance(0.1) ? "y".repeat(10_000) : "y",
  ])();
  // deno-lint-ignore no-control-regex
  return random.chance(0.9) ? text.replaceAll(/[\x00-\x08\x0a-\x1f\x7f]/g, "") : text;
}

/** Whether the request's head is HTTP as the RFC has it, so that the gateway itself must answer. */
function soundHead({ target, headers, body, length }: HttpInput): boolean {
  const names = headers.map(([name]) => name);
  // The HTTP server below the gateway answers 400 by itself to an upgrade that comes with a body.
  if (names.includes("upgrade") && (body !== "" || length !== "true")) return false;
  return target.startsWith("/") && !target.includes("#") &&
    headers.filter(([name]) => name === "host").join() === "host,{{host}}" &&
    !names.some((name) => /^(expect|te|trailer)$/.test(name)) &&
    // deno-lint-ignore no-control-regex
    headers.every(([, value]) => !/[\x00-\x08\x0a-\x1f\x7f]/.test(value));
}

/** The answers on `/api` and `/cloud` have the documented shapes, and the headers that go with them. */
function checkShape(target: string, { method }: HttpInput, answer: Answer): void {
  const { status, headers, body } = answer;
  if (status === 401) hold("www-authenticate" in headers, "401 comes with WWW-Authenticate");
  if (status === 405) hold(headers.allow !== undefined, "405 comes with Allow");
  if (status === 426) hold(headers.upgrade === "websocket", "426 comes with Upgrade");
  if (status === 503) hold("retry-after" in headers, "503 comes with Retry-After");
  if (status < 300 || method === "HEAD") return;
  const { error } = parseError(body);
  // As it came: dot segments may lead out of it, and are refused before they do.
  if (target.startsWith("/cloud/")) {
    const isObject = typeof error === "object" && error !== null;
    hold(isObject && Object.keys(error).join() === "code,message", `the error has a code: ${body}`);
    const { code, message } = error as Record<string, unknown>;
    hold(typeof code === "string" && code !== "", `the code is a text: ${body}`);
    hold(typeof message === "string" && message !== "", `the message is a text: ${body}`);
  } else {
    hold(typeof error === "string" && error !== "", `the error is a text: ${body}`);
  }
}

function parseError(body: string): { error?: unknown } {
  try {
    return JSON.parse(body);
  } catch {
    hold(false, `an error is JSON, unlike ${showJson(body)}`);
  }
}
