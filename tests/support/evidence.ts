/**
 * What the suite's gateways log, and the secrets that it uses, each kept in a file for the test that
 * comes last and looks for the ones in the other (`tests/logs`).
 *
 * @module
 */
import { configureSync, getConfig, getJsonLinesFormatter, type Sink } from "@logtape/logtape";
import { DirectKeys } from "../../src/auth/direct_keys.ts";
import { RegistrationTokens } from "../../src/auth/registration_tokens.ts";
import { Sealed } from "../../src/auth/signed_payload.ts";

/** Where both are kept; `deno task test` begins by removing it. */
export const EVIDENCE_DIR = new URL("../../.cache/test-logs/", import.meta.url);

/** A secret that the suite used, and what it is. */
export interface UsedSecret {
  readonly kind:
    | "configured"
    | "registration token"
    | "capability token"
    | "ticket"
    | "secret access key";
  readonly secret: string;
}

/** Test processes run beside each other, and each has files of its own. */
const own = crypto.randomUUID();
let madeDirectory = false;

/** What is shorter could stand in a log by accident. */
const MIN_LENGTH = 12;

/** Keeps a secret to be looked for. */
export function noteSecret(kind: UsedSecret["kind"], secret: string): void {
  if (secret.length < MIN_LENGTH) return;
  const used: UsedSecret = { kind, secret };
  append(`secrets-${own}.jsonl`, `${JSON.stringify(used)}\n`);
}

const PATTERNS: readonly (readonly [UsedSecret["kind"], RegExp])[] = [
  ["registration token", /\b[0-9a-f]{64}\b/g],
  ["capability token", /\beyJ[\w-]+\.[\w-]+\.[\w-]+/g],
  ["secret access key", /(?<=\bAWS_SECRET_ACCESS_KEY=)[\w-]{43}/g],
  ["ticket", /\bcxg[axh]\.[\w-]+\.[\w-]+/g],
];

/** Keeps the secrets that stand in what a program printed. */
export function noteSecretsIn(text: string): void {
  for (const [kind, pattern] of PATTERNS) {
    for (const [secret] of text.matchAll(pattern)) noteSecret(kind, secret);
  }
}

/** Keeps the secrets that a program is configured with. */
export function noteSecretsOf(variables: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(variables)) {
    if (/^CXG_.*SECRET$/.test(name)) noteSecret("configured", value);
  }
}

/** Keeps what a process has logged, whole. */
export function noteLog(text: string): void {
  if (text !== "") append(`log-${own}.jsonl`, text.endsWith("\n") ? text : `${text}\n`);
}

const format = getJsonLinesFormatter({ properties: "flatten" });

/** Keeps what the gateways of this process log. */
export const logSink: Sink = (record) => noteLog(format(record));

/** Has the gateways of this process log to {@linkcode logSink}, unless something else was set up. */
export function keepLogs(): void {
  if (getConfig() !== null) return;
  configureSync({
    sinks: { kept: logSink },
    loggers: [
      { category: "cxg", sinks: ["kept"], lowestLevel: "debug" },
      { category: ["logtape", "meta"], sinks: [], lowestLevel: "error" },
    ],
  });
}

// What the gateways of this process make is noted where it is made, whoever asked for it.
const { seal } = Sealed.prototype;
Sealed.prototype.seal = async function (payload) {
  const ticket = await seal.call(this, payload);
  noteSecret("ticket", ticket);
  return ticket;
};
const { hash } = RegistrationTokens.prototype;
RegistrationTokens.prototype.hash = function (token) {
  noteSecret("registration token", token);
  return hash.call(this, token);
};
const { pairOf } = DirectKeys.prototype;
DirectKeys.prototype.pairOf = async function (...of) {
  const pair = await pairOf.apply(this, of);
  noteSecret("secret access key", pair.secret_access_key);
  return pair;
};

function append(name: string, text: string): void {
  if (!madeDirectory) Deno.mkdirSync(EVIDENCE_DIR, { recursive: true });
  madeDirectory = true;
  Deno.writeTextFileSync(new URL(name, EVIDENCE_DIR), text, { append: true });
}
