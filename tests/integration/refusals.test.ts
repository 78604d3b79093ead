/**
 * What each refusal under `/cloud`, `/bridge` and `/codex-exec` says: a model reads it and nobody else, so
 * it says what to do, in 300 characters, and gives no secret away.
 *
 * @module
 */
import assert from "node:assert/strict";
import { connect as connectTcp } from "node:net";
import { BusyError } from "../../src/auth/registration_tokens.ts";
import { deriveTickets } from "../../src/auth/tickets.ts";
import { REASON_OF_STATUS, REASONS } from "../../src/http/refusal_reason.ts";
import { adviceFor, MAX_MESSAGE } from "../../src/http/wording.ts";
import { ROUTES } from "../../src/routes.ts";
import { dialIn } from "../support/exclusive.ts";
import {
  type CreatedExecutor,
  gatewayTest,
  SECRETS,
  startGateway,
  switchboardTest,
  type TestGateway,
} from "../support/gateway.ts";
import { forEachDatabase } from "../support/databases.ts";
import { RawSocket } from "../support/raw_socket.ts";
import {
  askToConnect,
  dialInAsNoise,
  dialInAsRelay,
  frame,
  HARNESS_KEY,
  openNoiseBridge,
  parseFrame,
} from "../support/relay.ts";
import { connect, handshake, until } from "../support/websocket.ts";

const REJECTION = "x-codex-rendezvous-rejection-reason";

/** The only values that codex passes on; see `RejectionReason`. */
const KNOWN_REJECTIONS = [
  "expired",
  "missing_role",
  "missing_expiry",
  "missing_signature",
  "missing_version",
  "missing_executor_registration_id",
  "unexpected_executor_registration_id",
  "malformed_query",
  "invalid_role",
  "invalid_expiry",
  "invalid_signature",
  "invalid_secret",
  "extra_query_param",
  "pod_draining",
  "unknown_route",
  "wrong_rendezvous_cluster",
  "route_unavailable",
];

/** A name that its owner chose to be a nuisance. */
const NAME = `my lap\n\ttop \u202e\u2028 ${"é".repeat(240)}`.slice(0, 256);

/** What a refusal says to do. */
const INSTRUCTION =
  /; (?:ask|begin|call|close|correct|dial|give|it can run|leave|open|point|send|set|sign|start|stop|tell|try|unset|use|wait)\b/;

/** An answer, however it was asked for. */
interface Refused {
  status: number;
  text: string;
  rejection: string | undefined;
}

/** A refusal and how to come by it. */
interface Case {
  name: string;
  status: number;
  says: RegExp;
  rejection?: string;
  ask: (rig: Rig) => Promise<Refused>;
}

/** A gateway with an executor of each kind, and every credential that there is. */
interface Rig {
  gateway: TestGateway;
  noise: CreatedExecutor;
  text: CreatedExecutor;
  relay: CreatedExecutor;
  /** Never dials in. */
  never: CreatedExecutor;
  secrets: string[];
}

type Call = "connect" | "register" | "validate" | "direct/register";

async function post(
  { gateway }: Rig,
  call: Call,
  exeId: string,
  token: string | undefined,
  body: BodyInit = JSON.stringify({ harness_public_key: HARNESS_KEY }),
  method = "POST",
  headers: Record<string, string> = {},
): Promise<Refused> {
  const response = await fetch(
    `${gateway.url}/cloud/environment/${encodeURIComponent(exeId)}/${call}`,
    {
      method,
      headers: { ...token !== undefined && { authorization: `Bearer ${token}` }, ...headers },
      body: method === "GET" ? undefined : body,
    },
  );
  const { error } = await response.json();
  assert.deepEqual(Object.keys(error), ["code", "message"]);
  assert.match(error.code, /^[a-z_]+$/);
  assert.notEqual(error.code, "refused", `${response.status} has a name`);
  return {
    status: response.status,
    text: error.message,
    rejection: response.headers.get(REJECTION) ?? undefined,
  };
}

async function dial(
  { gateway }: Rig,
  path: string,
  exeId: string,
  token?: string,
  query = "",
): Promise<Refused> {
  const url = `${gateway.wsUrl}/${path}/${encodeURIComponent(exeId)}?${query}`;
  const { status, body, headers } = await handshake(
    url,
    token === undefined ? {} : { authorization: `Bearer ${token}` },
  );
  const rejection = headers[REJECTION] as string | undefined;
  return { status, text: JSON.parse(body).error, rejection };
}

const past = () => ({ exp: Math.floor(Date.now() / 1000) - 100 });

/** A ticket for a bridge to the Noise executor, with something else than the gateway would say. */
async function harnessTicket(rig: Rig, change: { exp?: number; registration_id?: string }) {
  const { harness } = await deriveTickets(new TextEncoder().encode(SECRETS.capToken));
  const ticket = await harness.seal({
    ticket_id: crypto.randomUUID(),
    exe_id: rig.noise.exe_id,
    registration_id: "reg_other",
    turn_id: "turn_ticket",
    workspace_id: "ws_test",
    iat: Math.floor(Date.now() / 1000),
    token_exp: Math.floor(Date.now() / 1000) + 3600,
    by_workspace: false,
    exp: Math.floor(Date.now() / 1000) + 60,
    ...change,
  });
  rig.secrets.push(ticket);
  return ticket;
}

async function revokedToken(rig: Rig, exeId: string): Promise<string> {
  const turn_id = `turn_${crypto.randomUUID()}`;
  await rig.gateway.call("POST", "/api/exec-gateway/revoke-turn", { turn_id });
  return await cap(rig, exeId, { turn_id });
}

async function cap(
  rig: Rig,
  exeId: string,
  claims: Parameters<TestGateway["capToken"]>[1] = {},
): Promise<string> {
  const token = await rig.gateway.capToken(exeId, claims);
  rig.secrets.push(token);
  return token;
}

/** What both `connect` and `/bridge` refuse a capability token for. */
function tokenCases(
  where: string,
  ask: (rig: Rig, exeId: string, token?: string) => Promise<Refused>,
): Case[] {
  const of = (
    name: string,
    status: number,
    says: RegExp,
    ask: Case["ask"],
    rejection?: string,
  ) => ({
    name: `${where}: ${name}`,
    status,
    says,
    ask,
    rejection,
  });
  return [
    of(
      "no token",
      401,
      /missing capability token/,
      (rig) => ask(rig, rig.noise.exe_id),
      "missing_signature",
    ),
    of("a malformed token", 401, /malformed/, (rig) => ask(rig, rig.noise.exe_id, "a.b.c")),
    of("a token signed elsewhere", 401, /signature; ask the platform/, async (rig) => {
      const token = await cap(rig, rig.noise.exe_id);
      return await ask(rig, rig.noise.exe_id, `${token.slice(0, -8)}AAAAAAAA`);
    }, "invalid_signature"),
    of(
      "an expired token",
      401,
      /expired; ask the platform for a new capability token/,
      async (rig) => await ask(rig, rig.noise.exe_id, await cap(rig, rig.noise.exe_id, past())),
      "expired",
    ),
    of(
      "another executor's token",
      403,
      /does not allow .*, only exe_1, exe_2, .* and 2 more; use/,
      async (rig) => {
        const exe_ids = ["exe_1", "exe_2\n\u0007", "x".repeat(5_000), "exe_4", "exe_5"];
        return await ask(rig, rig.noise.exe_id, await cap(rig, "", { exe_ids }));
      },
    ),
    of(
      "nobody's token",
      403,
      /, none; use/,
      async (rig) => await ask(rig, rig.noise.exe_id, await cap(rig, "", { exe_ids: [] })),
    ),
    of(
      "an executor with an endless id",
      403,
      /does not allow executor x x x[x ]*…, only/,
      async (rig) => await ask(rig, "x\n".repeat(2_000), await cap(rig, rig.noise.exe_id)),
    ),
    of(
      "a revoked turn",
      401,
      /revoked.*stop here/,
      async (rig) => await ask(rig, rig.noise.exe_id, await revokedToken(rig, rig.noise.exe_id)),
    ),
    of(
      "an executor that never came",
      503,
      /\(my lap top é+…\) is not connected and never was; start/,
      async (rig) => await ask(rig, rig.never.exe_id, await cap(rig, rig.never.exe_id)),
      "route_unavailable",
    ),
    of(
      "an executor that does not exist",
      503,
      /there is no executor exe_none.*; ask/,
      async (rig) => await ask(rig, "exe_none", await cap(rig, "exe_none")),
      "unknown_route",
    ),
    of(
      "an executor whose id the store cannot keep",
      400,
      /NUL character.*; correct/,
      async (rig) => await ask(rig, "exe_\0", await cap(rig, "exe_\0")),
    ),
  ];
}

/** What both calls of an executor refuse its registration token for. */
function registrationCases(call: "register" | "validate"): Case[] {
  return [
    {
      name: `${call}: no token`,
      status: 401,
      says: /missing registration token; start codex exec-server/,
      rejection: "missing_signature",
      ask: (rig) => post(rig, call, rig.noise.exe_id, undefined),
    },
    {
      name: `${call}: a wrong token`,
      status: 401,
      says: /unknown executor or wrong registration token; start/,
      rejection: "invalid_secret",
      ask: (rig) => post(rig, call, rig.noise.exe_id, "f".repeat(64)),
    },
    {
      name: `${call}: an unknown executor`,
      status: 401,
      says: /unknown executor or wrong registration token; start/,
      rejection: "invalid_secret",
      ask: (rig) => post(rig, call, `exe_${call}`, "f".repeat(64)),
    },
  ];
}

/** What is wrong with bodies, methods and paths, after a credential that is good. */
function requestCases(): Case[] {
  const bodies: [string, number, RegExp, BodyInit][] = [
    ["no JSON", 400, /not valid JSON; correct/, "{"],
    ["no object", 400, /must be a JSON object; correct/, "[]"],
    ["no UTF-8", 400, /UTF-8; correct/, new Uint8Array([0x22, 0xff, 0x22])],
    ["too much", 413, /at most 65536 bytes; send less/, "x".repeat(70_000)],
  ];
  const calls = ["connect", "register", "validate"] as const;
  return [
    ...calls.flatMap((call) =>
      bodies.map(([name, status, says, body]): Case => ({
        name: `${call}: ${name}`,
        status,
        says,
        ask: async (rig) =>
          await post(rig, call, rig.noise.exe_id, await credential(rig, call), body),
      }))
    ),
    {
      name: "connect: no key",
      status: 400,
      says: /harness_public_key/,
      ask: async (rig) =>
        await post(rig, "connect", rig.noise.exe_id, await credential(rig, "connect"), "{}"),
    },
    {
      name: "register: a profile that nobody knows",
      status: 400,
      says: /security_profile|executor_public_key/,
      ask: async (rig) =>
        await post(
          rig,
          "register",
          rig.noise.exe_id,
          await credential(rig, "register"),
          JSON.stringify({ security_profile: "" }),
        ),
    },
    ...calls.map((call): Case => ({
      name: `${call}: another method`,
      status: 405,
      says: /allows POST; use/,
      ask: (rig) => post(rig, call, rig.noise.exe_id, undefined, undefined, "GET"),
    })),
    {
      name: "an unknown path",
      status: 404,
      says: /nothing at this path; give codex/,
      ask: (rig) => post(rig, "disconnect" as Call, rig.noise.exe_id, undefined),
    },
    ...["/bridge/%ff", "/codex-exec/%ff"].map((path): Case => ({
      name: `${path}: no UTF-8`,
      status: 400,
      says: /not percent-encoded UTF-8; correct/,
      ask: async ({ gateway }) => {
        const { status, body } = await handshake(gateway.wsUrl + path);
        return { status, text: JSON.parse(body).error, rejection: undefined };
      },
    })),
    ...["bridge", "codex-exec"].map((path): Case => ({
      name: `/${path}: another method`,
      status: 405,
      says: /allows GET, HEAD; use/,
      ask: async ({ gateway, noise }) => {
        const response = await fetch(`${gateway.url}/${path}/${noise.exe_id}`, { method: "PUT" });
        return {
          status: response.status,
          text: (await response.json()).error,
          rejection: undefined,
        };
      },
    })),
    {
      name: "connect: a body that does not come",
      status: 408,
      says: /too long to come; send it again/,
      ask: stalledBody,
    },
  ];
}

/** What only websockets are refused for. */
function dialCases(): Case[] {
  return [
    {
      name: "/bridge: a ticket that was not made here",
      status: 401,
      says: /bad ticket signature; call connect again/,
      rejection: "invalid_signature",
      ask: async (rig) => {
        const ticket = await harnessTicket(rig, {});
        return await dial(rig, "bridge", rig.noise.exe_id, `${ticket.slice(0, -6)}AAAAAA`);
      },
    },
    {
      name: "/bridge: a ticket that expired",
      status: 401,
      says: /ticket expired; call connect again/,
      rejection: "expired",
      ask: async (rig) =>
        await dial(rig, "bridge", rig.noise.exe_id, await harnessTicket(rig, past())),
    },
    {
      name: "/bridge: a ticket for another executor",
      status: 403,
      says: /for another executor; call connect/,
      ask: async (rig) => await dial(rig, "bridge", rig.text.exe_id, await harnessTicket(rig, {})),
    },
    {
      name: "/bridge: a ticket for another registration",
      status: 401,
      says: /registered anew.*; call connect again/,
      rejection: "unexpected_executor_registration_id",
      ask: async (rig) => await dial(rig, "bridge", rig.noise.exe_id, await harnessTicket(rig, {})),
    },
    {
      name: "/bridge: a ticket twice",
      status: 401,
      says: /used before; call connect again/,
      ask: async (rig) => {
        const response = await askToConnect(rig.gateway, rig.noise.exe_id);
        const ticket = new URL((await response.json()).url).searchParams.get("token")!;
        rig.secrets.push(ticket);
        await handshake(`${rig.gateway.wsUrl}/bridge/${rig.noise.exe_id}?token=${ticket}`);
        return await dial(rig, "bridge", rig.noise.exe_id, ticket);
      },
    },
    {
      name: "/bridge: held by another",
      status: 409,
      says: /held by another session since \d\d:\d\d UTC; wait/,
      ask: async (rig) =>
        await dial(rig, "bridge", rig.text.exe_id, await cap(rig, rig.text.exe_id)),
    },
    {
      name: "/bridge: a relay harness for a Noise executor",
      status: 400,
      says: /0\.142 or later; start one/,
      ask: async (rig) =>
        await dial(
          rig,
          "bridge",
          rig.noise.exe_id,
          await cap(rig, rig.noise.exe_id),
          "role=harness",
        ),
    },
    {
      name: "connect: an executor that speaks no Noise",
      status: 400,
      says: /does not speak Noise; point/,
      ask: async (rig) =>
        await post(rig, "connect", rig.relay.exe_id, await cap(rig, rig.relay.exe_id)),
    },
    ...["bridge", "codex-exec"].map((path): Case => ({
      name: `/${path}: no websocket`,
      status: 426,
      says: /speaks websocket, version 13; open it/,
      ask: async (rig) => {
        const { exe_id, registration_token } = rig.noise;
        const token = path === "bridge" ? await cap(rig, exe_id) : registration_token;
        const response = await fetch(`${rig.gateway.url}/${path}/${exe_id}?token=${token}`);
        return {
          status: response.status,
          text: (await response.json()).error,
          rejection: undefined,
        };
      },
    })),
    {
      name: "/codex-exec: no token",
      status: 400,
      says: /missing token; send/,
      rejection: "missing_signature",
      ask: (rig) => dial(rig, "codex-exec", rig.noise.exe_id),
    },
    {
      name: "/codex-exec: a wrong token",
      status: 401,
      says: /unknown executor or wrong token; call register/,
      rejection: "invalid_secret",
      ask: (rig) => dial(rig, "codex-exec", rig.noise.exe_id, "e".repeat(64)),
    },
    {
      name: "/codex-exec: an endless id",
      status: 401,
      says: /unknown executor or wrong token; call register/,
      rejection: "invalid_secret",
      ask: (rig) => dial(rig, "codex-exec", "x".repeat(4_000), "e".repeat(64)),
    },
  ];
}

/** What the signature of a direct executor is refused for: it signs in place of a token. */
function directCases(): Case[] {
  const credential = `AKID/20260101/eu-1/execute-api/aws4_request`;
  const signed = (headers: string) =>
    `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${headers}, ` +
    `Signature=${"a".repeat(64)}`;
  const refused: [string, RegExp, Record<string, string>][] = [
    ["no signature", /missing signature; start/, {}],
    ["another scheme", /Signature Version 4; sign/, { authorization: "Bearer x" }],
    ["the wrong headers", /headers are signed; sign/, { authorization: signed("host") }],
    [
      "no date",
      /x-amz-date .*; sign anew/,
      { authorization: signed("content-type;host;x-amz-date") },
    ],
    [
      "a wrong signature",
      /unknown executor, or a signature that .*; start/,
      {
        authorization: signed("content-type;host;x-amz-date"),
        "x-amz-date": "20260101T000000Z",
      },
    ],
  ];
  return refused.map(([name, says, headers]) => ({
    name: `direct/register: ${name}`,
    status: 401,
    says,
    rejection: name === "no signature" ? "missing_signature" : "invalid_signature",
    ask: (rig) => post(rig, "direct/register", rig.relay.exe_id, undefined, "{}", "POST", headers),
  }));
}

const CASES: readonly Case[] = [
  ...directCases(),
  ...tokenCases("connect", (rig, exeId, token) => post(rig, "connect", exeId, token)),
  ...tokenCases("/bridge", (rig, exeId, token) => dial(rig, "bridge", exeId, token)),
  ...registrationCases("register"),
  ...registrationCases("validate"),
  ...requestCases(),
  ...dialCases(),
];

/** What the table is refused for. */
const COUNTED_REASONS: readonly string[] = [
  "bad_body",
  "bad_request",
  "executor_held",
  "method_not_allowed",
  "not_connected",
  "not_found",
  "payload_too_large",
  "registered_anew",
  "registration_token_missing",
  "release_does_not_fit",
  "request_timeout",
  "signature_malformed",
  "signature_missing",
  "ticket_expired",
  "ticket_other_executor",
  "ticket_used",
  "token_expired",
  "token_malformed",
  "token_missing",
  "token_other_executor",
  "turn_revoked",
  "unknown_executor",
  "upgrade_required",
  "wrong_registration_token",
  "wrong_signature",
  "wrong_ticket",
  "wrong_token_signature",
];

gatewayTest("each refusal says what to do, briefly, and gives nothing away", async (gateway) => {
  const rig = await makeRig(gateway);
  await using _noise = await dialInAsNoise(gateway, rig.noise);
  await using _relay = await dialInAsRelay(gateway, rig.relay);
  await using _text = await dialIn(gateway, rig.text);
  await using _holder = await connect(`${gateway.wsUrl}/bridge/${rig.text.exe_id}`, {
    authorization: `Bearer ${await cap(rig, rig.text.exe_id)}`,
  });
  const answers = await Promise.all(
    CASES.map(async (one) => ({ one, answer: await one.ask(rig) })),
  );
  for (const { one: { name, status, says, rejection }, answer } of answers) {
    assert.equal(answer.status, status, `${name}: ${answer.text}`);
    assert.match(answer.text, says, name);
    assert.equal(answer.rejection, rejection, name);
    assertFit(answer, rig, name);
  }
  const seen = new Set(CASES.map(({ status }) => status));
  for (const status of [400, 401, 403, 404, 405, 408, 409, 413, 426, 503]) {
    assert.ok(seen.has(status), `${status} is in the table`);
  }
  const samples = await gateway.samples("cxg_refusals_total");
  const reasons = samples.map((sample) =>
    /^cxg_refusals_total\{route="[^"]+",status="\d+",reason="(\w+)"\} \d+$/.exec(sample)?.[1] ??
      sample
  );
  assert.deepEqual([...new Set(reasons)].sort(), COUNTED_REASONS);
  const all = await gateway.samples("");
  assert.deepEqual(all.filter((line) => line.includes('=""')), [], "no label is empty");
});

Deno.test("docs/refusals.md explains every reason that there is, and no other", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/refusals.md", import.meta.url));
  const [, table] = page.split("| Reason ");
  const explained = table!.split("\n\n")[0]!.split("\n")
    .flatMap((row) =>
      [...row.split("|")[1]?.matchAll(/`(\w+)`/g) ?? []].map(([, reason]) => reason)
    );
  const all = [...REASONS, ...Object.values(REASON_OF_STATUS), "refused"];
  assert.deepEqual(explained.sort(), all.sort());
});

switchboardTest("429 says what to do: wrong tokens, and failed handshakes", async (gateway) => {
  const rig = await makeRig(gateway);
  await using machine = await dialInAsNoise(gateway, rig.noise);
  for (let i = 0; i < 10; i++) await post(rig, "register", rig.text.exe_id, "d".repeat(64));
  const flooded = [
    await post(rig, "register", rig.text.exe_id, "d".repeat(64)),
    await dial(rig, "codex-exec", rig.text.exe_id, "d".repeat(64)),
  ];
  const turn_id = "turn_fails";
  for (let i = 0; i < 2; i++) {
    await using harness = await openNoiseBridge(gateway, rig.noise.exe_id, { turn_id });
    harness.send(frame(`bad-${i}`, "handshake", new Uint8Array(100)));
    assert.equal(parseFrame(await machine.next()).body, "handshake");
    machine.send(frame(`bad-${i}`, "reset", new Uint8Array([0x0a, 1, 0x78])));
    assert.equal(parseFrame(await harness.next()).body, "reset");
  }
  const token = await cap(rig, rig.noise.exe_id, { turn_id });
  const failed = [
    await post(rig, "connect", rig.noise.exe_id, token),
    await dial(rig, "bridge", rig.noise.exe_id, token),
  ];
  for (const answer of [...flooded, ...failed]) {
    assert.equal(answer.status, 429);
    assertFit(answer, rig, "429");
  }
});

forEachDatabase(
  "503 says what to do: a gateway that stops, and one that is full",
  async (store) => {
    await using gateway = await startGateway(store, { maxConnectionsPerAddress: 2 });
    const rig = await makeRig(gateway);
    // It does not answer the close frame, so that the gateway goes on stopping for a while.
    using _deaf = await RawSocket.open(
      gateway.port,
      `/codex-exec/${rig.text.exe_id}`,
      rig.text.registration_token,
    );
    let full: Refused;
    {
      await using _second = await connect(
        `${gateway.wsUrl}/codex-exec/${rig.relay.exe_id}?token=${rig.relay.registration_token}`,
      );
      full = await post(rig, "connect", rig.noise.exe_id, "x");
    }
    assert.equal(full.status, 503);
    assert.match(full.text, /too many connections/);
    assertFit(full, rig, "full");
    await until("there is room again", async () => {
      return (await post(rig, "connect", rig.noise.exe_id, "x")).status === 401;
    });
    const stopped = gateway.stop();
    const refused = await post(rig, "connect", rig.noise.exe_id, "x");
    assert.equal(refused.status, 503);
    assert.equal(refused.rejection, "pod_draining");
    assertFit(refused, rig, "stopping");
    await stopped;
  },
);

Deno.test("what is refused for no fault of the caller's says what to do too", () => {
  for (const text of [new BusyError().message, "the store does not answer; try again shortly"]) {
    assert.match(text, INSTRUCTION);
  }
  for (const status of [400, 404, 405, 408, 413, 500, 503]) {
    assert.match(`something is wrong${adviceFor(status, "something is wrong")}`, INSTRUCTION);
  }
});

Deno.test("the table asks at every endpoint of codex", () => {
  const ours = ROUTES.map(({ path }) => path).filter((path) =>
    /^\/(?:cloud\/environment|bridge|codex-exec)\//.test(path)
  );
  const calls = ours.map((path) => {
    const [, , , ...call] = path.split("/");
    return path.startsWith("/cloud/") ? call.slice(1).join("/") : `/${path.split("/")[1]}`;
  });
  for (const call of calls) {
    assert.ok(CASES.some(({ name }) => name.startsWith(`${call}: `)), `${call} is asked`);
  }
  assert.ok(calls.length >= 6);
});

function assertFit({ text, rejection }: Refused, { secrets }: Rig, name: string): void {
  assert.ok(text.length <= MAX_MESSAGE, `${name}: ${text.length} characters: ${text}`);
  assert.match(text, INSTRUCTION, name);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(text, /[\x00-\x1f\x7f-\x9f\u2028\u202e]/, name);
  assert.ok(!text.endsWith("…"), `${name} is not cut: ${text}`);
  for (const secret of secrets) {
    assert.ok(!text.includes(secret), `${name} gives a secret away`);
    for (const part of secret.split(".")) {
      if (part.length > 16) assert.ok(!text.includes(part), `${name} gives part of one away`);
    }
  }
  if (rejection !== undefined) assert.ok(KNOWN_REJECTIONS.includes(rejection), rejection);
}

async function makeRig(gateway: TestGateway): Promise<Rig> {
  // One after the other: the gateway may be full with two.
  const noise = await named(gateway);
  const text = await named(gateway);
  const relay = await named(gateway);
  const never = await named(gateway);
  const secrets = [
    ...Object.values(SECRETS),
    ...[noise, text, relay, never].map(({ registration_token }) => registration_token),
  ];
  return { gateway, noise, text, relay, never, secrets };
}

async function named(gateway: TestGateway): Promise<CreatedExecutor> {
  const response = await gateway.call(
    "POST",
    "/api/codex-exec/register",
    { display_name: NAME },
    { "x-user-id": "user_test" },
  );
  const executor = await response.json();
  const path = "/api/codex-exec/workspaces/ws_test/executors";
  await (await gateway.call("POST", path, { exe_id: executor.exe_id })).body?.cancel();
  return executor;
}

async function credential(rig: Rig, call: Call): Promise<string> {
  return call === "connect" ? await cap(rig, rig.noise.exe_id) : rig.noise.registration_token;
}

/** Announces a body and sends half of it. */
async function stalledBody(rig: Rig): Promise<Refused> {
  const { exe_id } = rig.noise;
  const token = await cap(rig, exe_id);
  const socket = connectTcp(rig.gateway.port, "127.0.0.1");
  socket.write(
    `POST /cloud/environment/${exe_id}/connect HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n` +
      `Authorization: Bearer ${token}\r\n\r\n{"ha`,
  );
  let answer = "";
  try {
    for await (const chunk of socket.setEncoding("utf8")) {
      answer += chunk;
      // The gateway cannot close the connection after its answer.
      if (answer.endsWith("}}")) break;
    }
  } finally {
    socket.destroy();
  }
  const body = answer.slice(answer.indexOf("{"), answer.lastIndexOf("}") + 1);
  return {
    status: Number(answer.slice(9, 12)),
    text: JSON.parse(body).error.message,
    rejection: undefined,
  };
}
