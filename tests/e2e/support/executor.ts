/** A real codex executor: `codex exec-server`, registered with a gateway. */

import { dirname } from "node:path";
import type { KeyPair } from "../../../src/auth/direct_keys.ts";
import { executorLines } from "../../../src/cli/codex_lines.ts";
import { joinScript } from "../../../src/cli/join_file.ts";
import { directStarts, executorStarts } from "../../../src/cli/executor_start.ts";
import type { Host } from "../../support/hosts/host.ts";
import { codexBinary } from "./codex_cache.ts";
import { type CapturedProcess, spawnCaptured } from "./process.ts";
import { forRelease, lineFor } from "./release.ts";

/** What an executor needs, however it is started. */
interface Place {
  /** The codex release, such as `"0.130.0"`. */
  version: string;
  /** The machine that it runs on; the test's own when absent. */
  host?: Host;
  /** The executor's working directory; it is the caller's, and is not removed. */
  dir: string;
  /** Variables for the executor and what it runs, on top of a clean environment. */
  env?: Record<string, string>;
}

/** What {@link startExecutor} needs. */
export interface ExecutorOptions extends Place {
  /** The gateway's HTTP base, such as `http://127.0.0.1:6060`. */
  gatewayUrl: string;
  exeId: string;
  registrationToken: string;
  /** The pair that it signs with: it is started as a direct executor. */
  direct?: KeyPair;
  /** Changes the line, or the join file. */
  edit?: (line: string) => string;
}

/**
 * Starts an executor by the line that the gateway at this URL prints for its release, or where that wants
 * `join`, by the join file that it writes: the machine has npm alone.
 */
export function startExecutor(options: ExecutorOptions): Promise<CapturedProcess> {
  const { version, gatewayUrl, exeId, registrationToken, direct, edit } = options;
  const starts = direct === undefined
    ? executorStarts(gatewayUrl, exeId, registrationToken)
    : directStarts(gatewayUrl, exeId, direct);
  const { viaJoin } = forRelease(version, starts);
  const line = viaJoin
    ? joinScript({ name: "a test's", exeId, url: gatewayUrl, starts })
    : lineFor(version, executorLines(starts, gatewayUrl, false));
  return startExecutorByLine({ ...options, line: edit?.(line) ?? line });
}

/**
 * Starts an executor with a home directory of its own by a line as a person pastes it, or several, in a shell that
 * finds the release as `codex`. It registers and dials in by itself: ask the gateway whether it is
 * connected. Disposing ends it and every command that it has started.
 *
 * @returns the process; its `descendants()` are the commands that run on it
 * @throws Error when the release cannot be fetched
 */
export async function startExecutorByLine(
  options: Place & { line: string },
): Promise<CapturedProcess> {
  const binary = await codexBinary(options.version);
  const home = await Deno.makeTempDir({ prefix: "codex-executor-" });
  // A join file is longer than an argument may be.
  const script = `${home}/start.sh`;
  await Deno.writeTextFile(script, options.line);
  return spawnCaptured("sh", {
    args: [script],
    cwd: options.dir,
    host: options.host,
    starts: binary,
    env: {
      PATH: `${dirname(binary)}:${Deno.env.get("PATH") ?? "/usr/bin:/bin"}`,
      HOME: home,
      CODEX_HOME: home,
      ...options.env,
    },
    cleanUp: () => Deno.remove(home, { recursive: true }),
  });
}
