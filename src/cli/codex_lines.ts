/**
 * The lines that a person pastes to start a codex executor or harness, by release.
 *
 * @module
 */
import { shellWord } from "./output.ts";

/** A command line and the releases it is for. */
export interface CodexLine {
  /** Which codex releases take it. */
  releases: string;
  line: string;
}

/**
 * The lines that start an executor.
 *
 * @param url the gateway's http:// or https:// base
 */
export function executorLines(url: string, exeId: string, registrationToken: string): CodexLine[] {
  const remote = `codex exec-server --remote ${shellWord(url)}`;
  return [
    {
      releases: "codex 0.130 and 0.131",
      line: `CODEX_EXEC_SERVER_REMOTE_BEARER_TOKEN=${registrationToken} ${remote} ` +
        `--executor-id ${shellWord(exeId)}`,
    },
    {
      releases: "codex 0.137 and later",
      line: `CODEX_API_KEY=${registrationToken} ${remote} --environment-id ${shellWord(exeId)}`,
    },
  ];
}

/**
 * The settings that point a harness at an executor; put them before `codex`.
 *
 * @param url the gateway's http:// or https:// base
 */
export function harnessLines(url: string, exeId: string, capabilityToken: string): CodexLine[] {
  const bridge = `${url.replace(/^http/, "ws")}/bridge/${encodeURIComponent(exeId)}` +
    `?token=${capabilityToken}`;
  return [
    { releases: "codex 0.130", line: `CODEX_EXEC_SERVER_URL='${bridge}'` },
    {
      releases: "codex 0.131 to 0.140",
      line: `CODEX_EXEC_SERVER_URL='${bridge}&role=harness'`,
    },
    {
      releases: "codex 0.142 and later",
      line: `CODEX_EXEC_SERVER_NOISE_REGISTRY_URL=${shellWord(url)} ` +
        `CODEX_EXEC_SERVER_NOISE_ENVIRONMENT_ID=${shellWord(exeId)} ` +
        `CODEX_EXEC_SERVER_NOISE_AUTH_TOKEN=${capabilityToken}`,
    },
  ];
}
