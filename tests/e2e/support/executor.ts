/** A real codex executor: `codex exec-server`, registered with a gateway. */

import { codexBinary } from "./codex_cache.ts";
import { type CapturedProcess, spawnCaptured } from "./process.ts";
import type { KeyPair } from "../../../src/auth/direct_keys.ts";
import { takesEnvironmentId } from "./release.ts";

/** What {@link startExecutor} needs. */
export interface ExecutorOptions {
  /** The codex release, such as `"0.130.0"`. */
  version: string;
  /** The gateway's HTTP base, such as `http://127.0.0.1:6060`. */
  gatewayUrl: string;
  exeId: string;
  registrationToken: string;
  /** The pair that it signs with: it is started as a direct executor. */
  direct?: KeyPair;
  /** The executor's working directory; it is the caller's, and is not removed. */
  dir: string;
  /** Variables for the executor and what it runs, on top of a clean environment. */
  env?: Record<string, string>;
}

/**
 * Starts an executor with a home directory of its own. It registers and dials in by itself: ask the
 * gateway whether it is connected. Disposing ends it and every command that it has started.
 *
 * @returns the executor's process; its `descendants()` are the commands that run on it
 * @throws Error when the release cannot be fetched
 */
export async function startExecutor(options: ExecutorOptions): Promise<CapturedProcess> {
  const binary = await codexBinary(options.version);
  const home = await Deno.makeTempDir({ prefix: "codex-executor-" });
  const { args, env } = credentialsOf(options);
  return spawnCaptured(binary, {
    args: ["exec-server", "--remote", options.gatewayUrl, ...args],
    cwd: options.dir,
    env: {
      PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin",
      HOME: home,
      CODEX_HOME: home,
      ...env,
      ...options.env,
    },
    cleanUp: () => Deno.remove(home, { recursive: true }),
  });
}

/** The flags and variables by which it says who it is. */
function credentialsOf(
  { version, exeId, registrationToken, direct }: ExecutorOptions,
): { args: string[]; env: Record<string, string> } {
  if (direct !== undefined) {
    return {
      args: ["--environment-id", exeId, "--remote-transport", "direct", "--aws-sigv4"],
      env: {
        AWS_ACCESS_KEY_ID: direct.access_key_id,
        AWS_SECRET_ACCESS_KEY: direct.secret_access_key,
        AWS_REGION: "us-east-1",
      },
    };
  }
  return takesEnvironmentId(version)
    ? { args: ["--environment-id", exeId], env: { CODEX_API_KEY: registrationToken } }
    : {
      args: ["--executor-id", exeId],
      env: { CODEX_EXEC_SERVER_REMOTE_BEARER_TOKEN: registrationToken },
    };
}
