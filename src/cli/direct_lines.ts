/**
 * The line that a person pastes to start a direct executor.
 *
 * @module
 */
import type { KeyPair } from "../auth/direct_keys.ts";
import type { CodexLine } from "./codex_lines.ts";
import { isLoopback } from "./loopback.ts";
import { shellWord } from "./output.ts";

/**
 * codex needs a region to sign with, and the gateway takes any: this one is written out so that the
 * machine's own settings have no part in it.
 */
const REGION = "us-east-1";

/**
 * The line that starts a direct executor.
 *
 * @param url the gateway's http:// or https:// base
 */
export function directLine(
  url: string,
  exeId: string,
  { access_key_id, secret_access_key }: KeyPair,
): CodexLine {
  return {
    releases: "codex 0.171 and later",
    line: `AWS_ACCESS_KEY_ID=${access_key_id} AWS_SECRET_ACCESS_KEY=${secret_access_key} ` +
      `AWS_REGION=${REGION} codex exec-server --remote ${shellWord(url)} ` +
      `--environment-id ${shellWord(exeId)} --remote-transport direct --aws-sigv4`,
  };
}

/** What stands in the way of the line, if anything does. */
export function directWarning(url: string): string | undefined {
  if (url.startsWith("https:") || isLoopback(url)) return undefined;
  return "codex starts a direct executor only for https or for loopback: give the gateway a " +
    "certificate, or forward a port of the executor's own loopback to it (ssh -L)";
}
