/** A real codex executor: `codex exec-server`, registered with a gateway. */

import { codexBinary } from "./codex_cache.ts";
import { type CapturedProcess, spawnCaptured } from "./process.ts";
import { takesEnvironmentId } from "./release.ts";

/** What {@link startExecutor} needs. */
export interface ExecutorOptions {
  /** The codex release, such as `"0.130.0"`. */
  version: string;
  /** The gateway's HTTP base, such as `http://127.0.0.1:6060`. */
  gatewayUrl: string;
  exeId: string;
  registrationToken: string;
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
  const [idFlag, tokenVariable] = takesEnvironmentId(options.version)
    ? ["--environment-id", "CODEX_API_KEY"] as const
    : ["--executor-id", "CODEX_EXEC_SERVER_REMOTE_BEARER_TOKEN"] as const;
  return spawnCaptured(binary, {
    args: ["exec-server", "--remote", options.gatewayUrl, idFlag, options.exeId],
    cwd: options.dir,
    env: {
      PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin",
      HOME: home,
      CODEX_HOME: home,
      [tokenVariable]: options.registrationToken,
      ...options.env,
    },
    cleanUp: () => Deno.remove(home, { recursive: true }),
  });
}
