/**
 * How each codex release is started as an executor of a gateway, by the gateway's URL. Every row was seen
 * to work with the releases of `tests/e2e/support/releases.ts`, from another host and from the gateway's.
 *
 * 0.132 to 0.135 are in none: they want a ChatGPT sign-in. 0.136 is in none since it was not tried further
 * than its register call.
 *
 * @module
 */
import type { KeyPair } from "../auth/direct_keys.ts";
import { isLoopback } from "./loopback.ts";
import type { ReleaseRange } from "./releases.ts";

/** How to start the releases of a range. */
export interface ExecutorStart extends ReleaseRange {
  /** Variables, by name. */
  readonly env: Readonly<Record<string, string>>;
  /** What follows `codex exec-server --remote URL`. */
  readonly args: readonly string[];
  /** What it reads on standard input: one line, which needs its line feed. */
  readonly stdin?: string;
  /** Whether URL is the one of `join` on its own machine, and not the gateway's. */
  readonly viaJoin: boolean;
}

/** The last release before {@linkcode BEARER_STDIN_SINCE}. */
const LAST_WITHOUT_BEARER_STDIN = "0.167.2";
const BEARER_STDIN_SINCE = "0.169.0";

/**
 * codex needs a region to sign with, and the gateway takes any: this one is written out so that the
 * machine's own settings have no part in it.
 */
const REGION = "us-east-1";

/**
 * What starts an executor with its registration token.
 *
 * - 0.130 ends with a panic when it dials a `wss://` URL, by whatever name.
 * - From 0.137 on codex sends an API key to loopback only, whether by http or https.
 * - A bearer on standard input is sent by https only, or to loopback.
 *
 * @param url the gateway's http:// or https:// base
 */
export function executorStarts(url: string, exeId: string, token: string): ExecutorStart[] {
  const bearer = {
    env: { CODEX_EXEC_SERVER_REMOTE_BEARER_TOKEN: token },
    args: ["--executor-id", exeId],
  };
  const apiKey = { env: { CODEX_API_KEY: token }, args: ["--environment-id", exeId] };
  const bearerStdin = {
    env: {},
    args: ["--environment-id", exeId, "--registration-bearer-stdin"],
    stdin: token,
  };
  const secure = url.startsWith("https:");
  const local = isLoopback(url);
  const early: ExecutorStart[] = secure
    ? [
      { from: "0.130.0", to: "0.130.0", ...bearer, viaJoin: true },
      { from: "0.131.0", to: "0.131.0", ...bearer, viaJoin: false },
    ]
    : [{ from: "0.130.0", to: "0.131.0", ...bearer, viaJoin: false }];
  if (local || !secure) return [...early, { from: "0.137.0", ...apiKey, viaJoin: !local }];
  return [
    ...early,
    { from: "0.137.0", to: LAST_WITHOUT_BEARER_STDIN, ...apiKey, viaJoin: true },
    { from: BEARER_STDIN_SINCE, ...bearerStdin, viaJoin: false },
  ];
}

/**
 * What starts a direct executor, which codex does by https or to loopback only.
 *
 * @param url the gateway's http:// or https:// base
 */
export function directStarts(
  url: string,
  exeId: string,
  { access_key_id, secret_access_key }: KeyPair,
): ExecutorStart[] {
  return [{
    from: "0.171.0",
    env: {
      AWS_ACCESS_KEY_ID: access_key_id,
      AWS_SECRET_ACCESS_KEY: secret_access_key,
      AWS_REGION: REGION,
    },
    args: ["--environment-id", exeId, "--remote-transport", "direct", "--aws-sigv4"],
    viaJoin: !url.startsWith("https:") && !isLoopback(url),
  }];
}

/** What a person should know before they use the URL from another machine, if anything. */
export function clearTextWarning(url: string): string | undefined {
  if (url.startsWith("https:") || isLoopback(url)) return undefined;
  return `${url} has no TLS: tokens and output pass in the clear between the machines. ` +
    "Give the gateway a certificate (CXG_TLS=self-signed makes one)";
}
