/**
 * The admin commands, each a client of the running gateway's own API.
 *
 * @module
 */
import { mintCapabilityToken } from "../auth/capability_token.ts";
import type { KeyPair } from "../auth/direct_keys.ts";
import { type OwnCa, ownCa, renderPreparation } from "./authorities.ts";
import { type CodexLine, executorLines, harnessLines } from "./codex_lines.ts";
import { ADOPT_OPTIONS, adoptDatabase } from "./db_adopt.ts";
import { describeExecutors, environmentsToml } from "./environments.ts";
import { clearTextWarning, directStarts, executorStarts } from "./executor_start.ts";
import { Gateway } from "./gateway.ts";
import { JoinFile } from "./join_file.ts";
import { isLoopback } from "./loopback.ts";
import { complain, print, shellWord, UsageError } from "./output.ts";
import { joinProgramName, programName } from "./program_name.ts";
import { NEWEST_TRIED } from "./releases.ts";

/** The values of a command's flags, as `node:util` `parseArgs` gives them. */
export type Flags = Readonly<Record<string, string | boolean | string[] | undefined>>;

/** A command: the flags it takes besides the common ones, and what it does. */
export interface Command {
  readonly options: Readonly<
    Record<string, { type: "string" | "boolean"; multiple?: boolean }>
  >;
  run(flags: Flags, positionals: string[]): Promise<void>;
}

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
  "executor list": { options: { workspace: { type: "string" } }, run: listExecutors },
  "executor remove": { options: { workspace: { type: "string" } }, run: removeExecutor },
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
  "turn revoke": { options: { exp: { type: "string" } }, run: revokeTurn },
  "db adopt": { options: ADOPT_OPTIONS, run: adoptDatabase },
};

async function addExecutor(flags: Flags, positionals: string[]): Promise<void> {
  expectPositionals(positionals, 0);
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
      print(JSON.stringify({
        exe_id,
        registration_token,
        workspace_id: workspace,
        direct,
        run: lines,
        ca,
        join_file: path,
      }));
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
  }, text(flags, "user") ?? "local") as CreatedExecutor;
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

async function listExecutors(flags: Flags, positionals: string[]): Promise<void> {
  expectPositionals(positionals, 0);
  const workspace = required(flags, "workspace");
  const executors = await gatewayOf(flags)
    .call("GET", `${workspacePath(workspace)}/executors`) as ListedExecutor[];
  if (flags.json) {
    print(JSON.stringify(executors));
    return;
  }
  if (executors.length === 0) {
    print(`no executor is bound to workspace ${workspace}`);
    return;
  }
  print(table([
    ["EXECUTOR", "CONNECTED", "KIND", "DEFAULT", "LAST SEEN", "DESCRIPTION"],
    ...executors.map((e) => [
      e.exe_id,
      (e.connected ? "yes" : "no") + (e.contested_until === undefined ? "" : ", contested"),
      e.kind ?? "-",
      e.is_default ? "yes" : "no",
      e.last_seen_at ?? "never",
      e.description,
    ]),
  ]));
  for (
    const { exe_id } of executors.filter(({ contested_until }) => contested_until !== undefined)
  ) {
    complain(
      `executor list: several machines use the registration token of ${exe_id}: give each an ` +
        "executor and a token of its own",
    );
  }
}

async function removeExecutor(flags: Flags, positionals: string[]): Promise<void> {
  const [exeId] = expectPositionals(positionals, 1, "EXE_ID") as [string];
  const workspace = text(flags, "workspace");
  const path = workspace === undefined
    ? `/api/codex-exec/executors/${encodeURIComponent(exeId)}`
    : `${workspacePath(workspace)}/executors/${encodeURIComponent(exeId)}`;
  await gatewayOf(flags).call("DELETE", path);
  if (flags.json) print(JSON.stringify({ exe_id: exeId, removed: true }));
  else print(workspace === undefined ? `removed ${exeId}` : `unbound ${exeId} from ${workspace}`);
}

async function mintToken(flags: Flags, positionals: string[]): Promise<void> {
  expectPositionals(positionals, 0);
  const workspace = required(flags, "workspace");
  const exeIds = [...new Set((flags.exe ?? []) as string[])];
  if (exeIds.length === 0) throw new UsageError("--exe is required");
  const ttl = parseDuration(text(flags, "ttl") ?? "1h");
  const turn = text(flags, "turn") ?? `turn_${crypto.randomUUID()}`;
  const gateway = gatewayOf(flags);
  const iat = Math.floor(Date.now() / 1000);
  const exp = iat + ttl;
  const token = await mintCapabilityToken({
    turn_id: turn,
    workspace_id: workspace,
    exe_ids: exeIds,
    iat,
    exp,
  }, gateway.capTokenSecret);
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
    print(JSON.stringify({ token, turn_id: turn, exp, harness, ca, environments_toml }));
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

async function revokeTurn(flags: Flags, positionals: string[]): Promise<void> {
  const [turnId] = expectPositionals(positionals, 1, "TURN_ID") as [string];
  const given = text(flags, "exp");
  const exp = given === undefined ? undefined : Number(given);
  if (exp !== undefined && !Number.isSafeInteger(exp)) {
    throw new UsageError("--exp must be whole unix seconds");
  }
  await gatewayOf(flags)
    .call("POST", "/api/exec-gateway/revoke-turn", { turn_id: turnId, exp });
  if (flags.json) print(JSON.stringify({ turn_id: turnId, revoked: true }));
  else print(`revoked ${turnId}`);
}

interface CreatedExecutor {
  exe_id: string;
  registration_token: string;
  direct?: KeyPair;
}

interface ListedExecutor {
  exe_id: string;
  description: string;
  is_default: boolean;
  connected: boolean;
  kind?: string;
  last_seen_at?: string;
  contested_until?: string;
}

function gatewayOf(flags: Flags): Gateway {
  return new Gateway({ url: text(flags, "url"), caFile: text(flags, "ca") });
}

function workspacePath(workspace: string): string {
  return `/api/codex-exec/workspaces/${encodeURIComponent(workspace)}`;
}

function text(flags: Flags, name: string): string | undefined {
  const value = flags[name];
  return typeof value === "string" ? value : undefined;
}

function required(flags: Flags, name: string): string {
  const value = text(flags, name);
  if (!value) throw new UsageError(`--${name} is required`);
  return value;
}

function expectPositionals(positionals: string[], count: number, name = ""): string[] {
  if (positionals.length < count) throw new UsageError(`${name} is required`);
  if (positionals.length > count) {
    throw new UsageError(`unexpected argument: ${positionals[count]}`);
  }
  return positionals;
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Seconds of a duration such as 90s, 15m, 1h or 2d. */
function parseDuration(duration: string): number {
  const [, amount, unit] = /^(\d{1,6})([smhd])$/.exec(duration) ?? [];
  if (amount === undefined || Number(amount) === 0) {
    throw new UsageError(`--ttl must be a duration such as 90s, 15m, 1h or 2d, not ${duration}`);
  }
  return Number(amount) * UNIT_SECONDS[unit!]!;
}

function renderLines(lines: readonly CodexLine[]): string {
  return lines.map(({ releases, line }) => `\n  # ${releases}\n  ${line}\n`).join("");
}

function table(rows: string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd())
    .join("\n");
}
