/**
 * The lines that a person pastes to start a codex executor or harness, by release.
 *
 * @module
 */
import type { ExecutorStart } from "./executor_start.ts";
import { AUTHORITIES_FILE } from "./authorities.ts";
import { joinProgramName } from "./program_name.ts";
import { type ReleaseRange, sayReleases } from "./releases.ts";
import { shellWord } from "../text/shell_word.ts";

/** A command line and the releases it is for. */
export interface CodexLine extends ReleaseRange {
  /** Which codex releases take it, for people. */
  readonly releases: string;
  readonly line: string;
}

/** The variable that both sides of every release take their certificate authorities from. */
const TRUST = `SSL_CERT_FILE=${AUTHORITIES_FILE}`;

/**
 * The lines that start an executor.
 *
 * @param url the gateway's http:// or https:// base
 * @param ownCa whether its certificate is signed by an authority of its own
 */
export function executorLines(
  starts: readonly ExecutorStart[],
  url: string,
  ownCa: boolean,
): CodexLine[] {
  return starts.map(({ from, to, viaJoin, ...start }) => {
    const codex = (remote: string) => codexCommand(start, remote, ownCa && !viaJoin);
    const join = `${joinProgramName()} --gateway ${shellWord(url)}` +
      `${ownCa ? ` --ca ${AUTHORITIES_FILE}` : ""} --port 0`;
    return {
      releases: sayReleases({ from, to }),
      from,
      to,
      // join says its URL once it has reached the gateway.
      line: viaJoin ? `${join} | (read -r url && ${codex('"$url"')})` : codex(shellWord(url)),
    };
  });
}

/**
 * The settings that point a harness at an executor; put them before `codex`.
 *
 * @param url the gateway's http:// or https:// base
 * @param ownCa whether its certificate is signed by an authority of its own
 */
export function harnessLines(
  url: string,
  exeId: string,
  capabilityToken: string,
  ownCa: boolean,
): CodexLine[] {
  const bridge = `${url.replace(/^http/, "ws")}/bridge/${encodeURIComponent(exeId)}` +
    `?token=${capabilityToken}`;
  const line = (range: ReleaseRange, variables: string): CodexLine => ({
    releases: sayReleases(range),
    ...range,
    line: ownCa ? `${TRUST} ${variables}` : variables,
  });
  return [
    line({ from: "0.130.0", to: "0.130.0" }, `CODEX_EXEC_SERVER_URL='${bridge}'`),
    line({ from: "0.131.0", to: "0.140.0" }, `CODEX_EXEC_SERVER_URL='${bridge}&role=harness'`),
    line(
      { from: "0.142.0" },
      `CODEX_EXEC_SERVER_NOISE_REGISTRY_URL=${shellWord(url)} ` +
        `CODEX_EXEC_SERVER_NOISE_ENVIRONMENT_ID=${shellWord(exeId)} ` +
        `CODEX_EXEC_SERVER_NOISE_AUTH_TOKEN=${capabilityToken}`,
    ),
  ];
}

/** @param remote the URL, as the shell is to read it */
function codexCommand(
  { env, args, stdin }: Pick<ExecutorStart, "env" | "args" | "stdin">,
  remote: string,
  withTrust: boolean,
): string {
  const words = [
    ...withTrust ? [TRUST] : [],
    ...Object.entries(env).map(([name, value]) => `${name}=${shellWord(value)}`),
    `codex exec-server --remote ${remote}`,
    ...args.map(shellWord),
  ].join(" ");
  return stdin === undefined ? words : `printf '%s\\n' ${shellWord(stdin)} | ${words}`;
}
