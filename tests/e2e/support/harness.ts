/** A real codex harness: one headless `codex exec` turn with a scripted model. */

import { dirname } from "node:path";
import { harnessLines } from "../../../src/cli/codex_lines.ts";
import type { Hosts } from "../../support/hosts/hosts.ts";
import { codexBinary } from "./codex_cache.ts";
import {
  type CommandResult,
  type ModelServer,
  startModelServer,
  type Step,
} from "./model_server.ts";
import { type CapturedProcess, spawnCaptured, tail, within } from "./process.ts";
import { lineFor } from "./release.ts";

/** What a turn needs, whatever points it at an executor. */
interface Script {
  /** The codex release, such as `"0.130.0"`. */
  version: string;
  /** The machines of which it runs on the harness's; on the test's own when absent. */
  hosts?: Hosts;
  /** What the model asks for, one step an answer; see {@link Step}. */
  commands: Step[];
  /** Variables for the harness, on top of a clean environment. */
  env?: Record<string, string>;
}

/** A turn on one executor, or on those in an `environments.toml`. */
export interface TurnOptions extends Script {
  /** The gateway's HTTP base, such as `http://127.0.0.1:6060`. */
  gatewayUrl: string;
  exeId: string;
  capToken: string;
  /** The release whose line points it at the executor, where that is not its own's. */
  speaksAs?: string;
  /** Its `environments.toml`, in place of what points it at one executor. */
  environments?: string;
}

/** A turn whose codex has this put before it, as a person does it who was told to. */
export interface TurnByLine extends Script {
  line: string;
}

/** A turn in progress; disposing kills the harness and stops its model. */
export interface Turn extends CapturedProcess {
  /** What the harness has reported to the model so far, by command. */
  results(): CommandResult[];
  readonly model: ModelServer;
}

/** A turn that has ended. */
export interface TurnResult {
  /** Zero whenever the turn came to its end, even if no command could run: look at `results`. */
  exitCode: number;
  /** The harness's events, one JSON object a line. */
  stdout: string;
  stderr: string;
  /**
   * What each command printed, in the order of the script; codex's error if it did not run. Shorter
   * than the script when codex offered its model no shell: 0.142 does so without an executor.
   */
  outputs: string[];
  /** The same with exit codes and the tool outputs verbatim. */
  results: CommandResult[];
}

/**
 * Starts a turn in a home and a working directory of its own, and returns while it runs.
 *
 * @throws Error when the release cannot be fetched
 */
export async function startTurn(options: TurnOptions | TurnByLine): Promise<Turn> {
  const binary = await codexBinary(options.version);
  const home = await Deno.makeTempDir({ prefix: "codex-harness-" });
  const cwd = `${home}/cwd`;
  await Deno.mkdir(cwd);
  const model = startModelServer(options.commands, options.hosts?.own.address);
  await Deno.writeTextFile(`${home}/config.toml`, config(model.baseUrl));
  if ("environments" in options && options.environments !== undefined) {
    await Deno.writeTextFile(`${home}/environments.toml`, options.environments);
  }
  const line = "line" in options ? options.line : lineOf(options);
  const process = spawnCaptured("sh", {
    // Commands run on the executor, with the executor's rights: there is nobody to ask.
    args: [
      "-c",
      `${line} codex exec --json --ephemeral --skip-git-repo-check ` +
      "--dangerously-bypass-approvals-and-sandbox 'run the script'",
    ],
    cwd,
    host: options.hosts?.harness,
    starts: binary,
    env: {
      PATH: `${dirname(binary)}:${Deno.env.get("PATH") ?? "/usr/bin:/bin"}`,
      HOME: home,
      CODEX_HOME: home,
      ...options.env,
    },
    async cleanUp() {
      await model[Symbol.asyncDispose]();
      await Deno.remove(home, { recursive: true });
    },
  });
  return Object.assign(process, { model, results: () => model.results() });
}

/**
 * Runs a turn to its end.
 *
 * @param options a turn's, and `timeoutMs`: how long it may take (60 s when absent)
 * @returns also when the harness or its commands failed
 * @throws Error when the turn takes longer, with the tail of what the harness wrote
 */
export async function runTurn(
  options: (TurnOptions | TurnByLine) & { timeoutMs?: number },
): Promise<TurnResult> {
  const timeoutMs = options.timeoutMs ?? 60_000;
  await using turn = await startTurn(options);
  if (!await within(turn.exited, timeoutMs)) {
    throw new Error(
      `codex ${options.version} did not end its turn within ${timeoutMs} ms\n${
        tail(turn.output())
      }`,
    );
  }
  const results = turn.results();
  return {
    exitCode: (await turn.exited).code,
    stdout: turn.stdout(),
    stderr: turn.stderr(),
    outputs: results.map((result) => result.output),
    results,
  };
}

/** What the gateway prints for a release to be put before `codex`. */
function lineOf(options: TurnOptions): string {
  const { version, gatewayUrl, exeId, capToken, environments, speaksAs } = options;
  if (environments !== undefined) return "";
  const lines = harnessLines(gatewayUrl, exeId, capToken, false);
  return lineFor(speaksAs ?? version, lines);
}

function config(modelBaseUrl: string): string {
  return `
model = "gpt-5.1-codex"
model_provider = "scripted"
check_for_update_on_startup = false
# As much of a command's output as fits without codex compacting its history: 800,000 bytes.
tool_output_token_limit = 200000

[analytics]
enabled = false

[model_providers.scripted]
name = "scripted"
base_url = "${modelBaseUrl}"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
`;
}
