/**
 * The admin commands, each a client of the running gateway's own API.
 *
 * @module
 */
import { mintCapabilityToken } from "../auth/capability_token.ts";
import type { KeyPair } from "../auth/direct_keys.ts";
import { oneLine } from "../text/one_line.ts";
import { shellWord } from "../text/shell_word.ts";
import { type OwnCa, ownCa, renderPreparation } from "./authorities.ts";
import { type CodexLine, executorLines, harnessLines } from "./codex_lines.ts";
import { ADOPT_OPTIONS, adoptDatabase } from "./db_adopt.ts";
import { describeExecutors, environmentsToml } from "./environments.ts";
import { clearTextWarning, directStarts, executorStarts } from "./executor_start.ts";
import { EXECUTOR_COMMANDS } from "./executor_commands.ts";
import { allExecutors, type KnownExecutor, pickExecutor } from "./find_executor.ts";
import {
  type Command,
  duration,
  type Flags,
  gatewayOf,
  required,
  text,
  words,
  workspacePath,
} from "./flags.ts";
import type { Gateway } from "./gateway.ts";
import { JoinFile } from "./join_file.ts";
import { isLoopback } from "./loopback.ts";
import { CommandError, complain, print, printJson, UsageError } from "./output.ts";
import { joinProgramName, programName } from "./program_name.ts";
import { NEWEST_TRIED } from "./releases.ts";
import { STATUS_COMMAND } from "./status_command.ts";
import { TURN_COMMANDS } from "./turn_commands.ts";
import { WORKSPACE_COMMANDS } from "./workspace_commands.ts";

/** Every command, by the words that name it. */
export const COMMANDS: Readonly<Record<string, Command>> = {
  "executor add": {
    options: {
      name: { type: "string" },
      workspace: { type: "string" },
      default: { type: "boolean" },
      description: { type: "string" },
      cwd: { type: "string" },
      user: { type: "string" },
      direct: { type: "boolean" },
      "join-file": { type: "string" },
    },
    run: addExecutor,
  },
  ...EXECUTOR_COMMANDS,
  "token mint": {
    options: {
      workspace: { type: "string" },
      exe: { type: "string", multiple: true },
      ttl: { type: "string" },
      turn: { type: "string" },
      environments: { type: "boolean" },
    },
    run: mintToken,
  },
  ...TURN_COMMANDS,
  ...WORKSPACE_COMMANDS,
  "status": STATUS_COMMAND,
  "db adopt": { options: ADOPT_OPTIONS, run: adoptDatabase },
};

async function addExecutor(flags: Flags, positionals: string[]): Promise<void> {
  words(positionals);
  const name = required(flags, "name");
  const workspace = required(flags, "workspace");
  const path = text(flags, "join-file");
  if (path === "") throw new UsageError("--join-file needs the name of a file, or -");
  if (path === "-" && flags.json) {
    throw new UsageError("--join-file - and --json would both write on standard output");
  }
  const gateway = gatewayOf(flags);
  const joinFile = path === undefined ? undefined : new JoinFile(path);
  let created: CreatedExecutor;
  try {
    created = await createExecutor(gateway, name, workspace, flags);
    const { exe_id, registration_token, direct } = created;
    const url = gateway.publicUrl;
    const starts = direct === undefined
      ? executorStarts(url, exe_id, registration_token)
      : directStarts(url, exe_id, direct);
    const warning = clearTextWarning(url);
    if (warning !== undefined) complain(`executor add: warning: ${warning}`);
    joinFile?.write({ name, exeId: exe_id, url, starts, caPem: gateway.ca });
    if (joinFile?.isStdout) return;
    const ca = gateway.ca === undefined ? undefined : ownCa(gateway.ca);
    const lines = executorLines(starts, url, ca !== undefined);
    if (flags.json) {
      printJson({
        exe_id,
        registration_token,
        workspace_id: workspace,
        direct,
        run: lines,
        ca,
        join_file: path,
      });
      return;
    }
    print(`executor            ${exe_id}
registration token  ${registration_token}   (shown this once)

${path === undefined ? renderExecutorLines(lines, ca) : renderJoinFile(path)}${elsewhere(gateway)}
Then let a turn reach it:
  ${programName()} token mint --workspace ${shellWord(workspace)} --exe ${exe_id}`);
  } catch (error) {
    joinFile?.discard();
    throw error;
  }
}

async function createExecutor(
  gateway: Gateway,
  name: string,
  workspace: string,
  flags: Flags,
): Promise<CreatedExecutor> {
  const created = await gateway.call("POST", "/api/codex-exec/register", {
    display_name: name,
    description: text(flags, "description") ?? name,
    default_cwd: text(flags, "cwd"),
    direct: flags.direct === true,
  }, { "x-user-id": text(flags, "user") ?? "local" }) as CreatedExecutor;
  await gateway.call("POST", `${workspacePath(workspace)}/executors`, {
    exe_id: created.exe_id,
    is_default: flags.default === true,
  });
  return created;
}

function renderExecutorLines(lines: readonly CodexLine[], ca: OwnCa | undefined): string {
  const withJoin = lines.some(({ line }) => line.includes(joinProgramName()));
  return `${renderPreparation(ca, "the machine it stands for")}On the machine it stands for, run:
${renderLines(lines)}${
    withJoin
      ? `
join is a part of this repository: run it in a clone there, with the Node that npm brings. Where there
is no clone, let --join-file FILE write all that the machine needs into one file.
`
      : ""
  }`;
}

function renderJoinFile(path: string): string {
  const file = shellWord(path.replace(/^.*[\\/]/, ""));
  return `All that the machine it stands for needs is in ${path}, its secret too. Copy it there, and run

  sh ${file}            # the codex on its PATH, else ${NEWEST_TRIED}
  sh ${file} 0.140.0    # or any other release, by npx
`;
}

/** That the lines are of no use on another machine, where they are not. */
function elsewhere({ publicUrl }: Gateway): string {
  if (!isLoopback(publicUrl)) return "";
  return `
That is for this machine. For another one, start the gateway with CXG_HOST=0.0.0.0 and the URL that
others reach it by, CXG_PUBLIC_WS_BASE_URL=wss://NAME:PORT; or forward a port there (ssh -L).
`;
}

async function mintToken(flags: Flags, positionals: string[]): Promise<void> {
  words(positionals);
  const workspace = required(flags, "workspace");
  const named = [...new Set((flags.exe ?? []) as string[])];
  if (named.length === 0) throw new UsageError("--exe is required");
  const ttl = duration(flags, "ttl") ?? 3_600;
  const turn = text(flags, "turn") ?? `turn_${crypto.randomUUID()}`;
  const gateway = gatewayOf(flags);
  const exeIds = await resolve(gateway, workspace, named);
  const iat = Math.floor(Date.now() / 1000);
  const exp = iat + ttl;
  const token = await mintCapabilityToken({
    turn_id: turn,
    workspace_id: workspace,
    exe_ids: exeIds,
    iat,
    exp,
  }, gateway.capTokenSecret);
  const refusal = await gateway.refusalOf(token, workspace);
  if (refusal !== undefined) {
    warn(
      `the gateway at ${gateway.url} refuses this token (${refusal}): was it signed with its secret?`,
    );
  }
  let environments_toml: string | undefined;
  if (flags.environments === true) {
    const executors = await describeExecutors(gateway, workspace, exeIds);
    for (const { exe_id, kind } of executors) {
      if (kind !== "noise" && kind !== "relay") continue;
      complain(
        `token mint: ${exe_id} is connected as ${kind}, which environments.toml cannot reach`,
      );
    }
    environments_toml = environmentsToml(
      gateway.publicUrl,
      executors,
      token,
      exp,
      gateway.ca !== undefined,
    );
    if (!flags.json) return print(environments_toml.trimEnd());
  }
  const ca = gateway.ca === undefined ? undefined : ownCa(gateway.ca);
  const harness = exeIds.map((exe_id) => ({
    exe_id,
    lines: harnessLines(gateway.publicUrl, exe_id, token, ca !== undefined),
  }));
  if (flags.json) {
    printJson({ token, turn_id: turn, exp, harness, ca, environments_toml });
    return;
  }
  print(`turn    ${turn}
expires ${new Date(exp * 1000).toISOString()}
token   ${token}`);
  if (ca !== undefined) print(`\n${renderPreparation(ca, "the harness's machine").trimEnd()}`);
  for (const { exe_id, lines } of harness) {
    print(`\nTo run commands on ${exe_id}, put this before the harness's codex command:
${renderLines(lines).trimEnd()}`);
  }
}

/**
 * The ids of the executors that were named, with a warning for each that a turn will not reach as things are.
 * Where no gateway answers, a token can be minted all the same, by ids.
 */
async function resolve(
  gateway: Gateway,
  workspace: string,
  named: readonly string[],
): Promise<string[]> {
  let all: KnownExecutor[];
  try {
    all = await allExecutors(gateway);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    warn(`${error.message}; the executors are taken for ids`);
    return [...named];
  }
  return [
    ...new Set(named.map((word) => {
      // Another gateway's, perhaps.
      if (word.startsWith("exe_") && !all.some(({ exe_id }) => exe_id.startsWith(word))) {
        warn(`the gateway knows no executor ${word}`);
        return word;
      }
      const { exe_id, connected, workspaces } = pickExecutor(word, all);
      if (!workspaces.some(({ workspace_id }) => workspace_id === workspace)) {
        warn(`${exe_id} is not bound to workspace ${workspace}`);
      }
      if (!connected) warn(`${exe_id} is not connected now`);
      return exe_id;
    })),
  ];
}

function warn(what: string): void {
  complain(`token mint: warning: ${oneLine(what)}`);
}

interface CreatedExecutor {
  exe_id: string;
  registration_token: string;
  direct?: KeyPair;
}

function renderLines(lines: readonly CodexLine[]): string {
  return lines.map(({ releases, line }) => `\n  # ${releases}\n  ${line}\n`).join("");
}
