/**
 * The commands about executors that are there: to see them, and to change who may reach them.
 *
 * @module
 */
import { oneLine } from "../text/one_line.ts";
import { ownCa } from "./authorities.ts";
import { executorLines } from "./codex_lines.ts";
import { executorStarts } from "./executor_start.ts";
import {
  allExecutors,
  executorPath,
  findExecutor,
  type KnownExecutor,
  pickExecutor,
} from "./find_executor.ts";
import {
  type Command,
  type Flags,
  gatewayOf,
  required,
  text,
  words,
  workspacePath,
} from "./flags.ts";
import type { Gateway } from "./gateway.ts";
import { complain, print, printJson } from "./output.ts";
import { shortTime, table } from "./table.ts";

const IN_WORKSPACE = { workspace: { type: "string" } } as const;

/** By the words that name them. */
export const EXECUTOR_COMMANDS: Readonly<Record<string, Command>> = {
  "executor list": { options: { ...IN_WORKSPACE, connected: { type: "boolean" } }, run: list },
  "executor show": { options: {}, run: show },
  "executor bind": { options: { ...IN_WORKSPACE, default: { type: "boolean" } }, run: bind },
  "executor unbind": { options: IN_WORKSPACE, run: unbind },
  "executor default": { options: IN_WORKSPACE, run: makeDefault },
  "executor rename": { options: {}, run: rename },
  "executor rotate": { options: {}, run: rotate },
  "executor remove": { options: IN_WORKSPACE, run: remove },
};

async function list(flags: Flags, positionals: string[]): Promise<void> {
  words(positionals);
  const workspace = text(flags, "workspace");
  const gateway = gatewayOf(flags);
  // With a workspace in the order of binding, as an agent sees them.
  const all = workspace === undefined
    ? await allExecutors(gateway)
    : await boundTo(gateway, workspace);
  const executors = flags.connected === true ? all.filter(({ connected }) => connected) : all;
  if (flags.json) return printJson(executors);
  if (all.length === 0) {
    return print(
      workspace === undefined
        ? "there is no executor"
        : `no executor is bound to workspace ${workspace}`,
    );
  }
  if (executors.length > 0) print(table([HEADINGS, ...executors.map(rowOf(workspace))]));
  const connected = all.filter(({ connected }) => connected).length;
  print(`${all.length} executor${all.length === 1 ? "" : "s"}, ${connected} connected`);
  for (const { exe_id, contested_until } of executors) {
    if (contested_until === undefined) continue;
    complain(
      `executor list: several machines use the registration token of ${exe_id}: give each an ` +
        "executor and a token of its own",
    );
  }
}

const HEADINGS = [
  "EXECUTOR",
  "NAME",
  "CONNECTED",
  "KIND",
  "WORKSPACES",
  "LAST SEEN",
  "DESCRIPTION",
];

function rowOf(workspace: string | undefined): (executor: KnownExecutor) => string[] {
  return (executor) => [
    executor.exe_id,
    executor.name || "-",
    (executor.connected ? "yes" : "no") +
    (executor.contested_until === undefined ? "" : ", contested"),
    executor.kind ?? "-",
    workspacesOf(executor, workspace),
    executor.connected ? "now" : shortTime(executor.last_seen_at),
    executor.description,
  ];
}

function workspacesOf({ workspaces }: KnownExecutor, only?: string): string {
  const shown = workspaces.filter(({ workspace_id }) =>
    only === undefined || workspace_id === only
  );
  if (shown.length === 0) return "none";
  return shown.map(({ workspace_id, is_default }) =>
    is_default ? `${workspace_id} (default)` : workspace_id
  ).join(", ");
}

/** The workspace's executors, in its order, as {@linkcode allExecutors} describes them. */
async function boundTo(gateway: Gateway, workspace: string): Promise<KnownExecutor[]> {
  const bound = await gateway.call(
    "GET",
    `${workspacePath(workspace)}/executors`,
  ) as KnownExecutor[];
  const workspaces = (
    isDefault: unknown,
  ) => [{ workspace_id: workspace, is_default: isDefault === true }];
  return bound.map((executor) => ({
    ...executor,
    workspaces: workspaces((executor as unknown as { is_default: boolean }).is_default),
  }));
}

async function show(flags: Flags, positionals: string[]): Promise<void> {
  const [word] = words(positionals, "EXECUTOR");
  const executor = await findExecutor(gatewayOf(flags), word);
  if (flags.json) return printJson(executor);
  const rows = [
    ["executor", executor.exe_id],
    ["name", executor.name || "-"],
    ["description", executor.description || "-"],
    ["directory", executor.default_cwd || "-"],
    ["user", executor.user_id],
    ["registered", executor.registered_at],
    ["workspaces", workspacesOf(executor)],
    ["connected", executor.connected ? `yes, from ${executor.remote}` : "no"],
    ...executor.connected
      ? [
        ["kind", executor.kind ?? "-"],
        ["since", executor.connected_since ?? "-"],
        ["bridges", `${executor.bridges}`],
      ]
      : [["last seen", executor.last_seen_at ?? "never"]],
  ];
  print(table(rows));
}

async function bind(flags: Flags, positionals: string[]): Promise<void> {
  const [word] = words(positionals, "EXECUTOR");
  const workspace = required(flags, "workspace");
  const gateway = gatewayOf(flags);
  const executor = await findExecutor(gateway, word);
  await bindTo(gateway, executor, workspace, flags.default === true);
  report(
    flags,
    { exe_id: executor.exe_id, workspace_id: workspace },
    `bound ${label(executor)} to ${workspace}`,
  );
}

async function makeDefault(flags: Flags, positionals: string[]): Promise<void> {
  const [word] = words(positionals, "EXECUTOR");
  const workspace = required(flags, "workspace");
  const gateway = gatewayOf(flags);
  const executor = await findExecutor(gateway, word);
  await bindTo(gateway, executor, workspace, true);
  report(
    flags,
    { exe_id: executor.exe_id, workspace_id: workspace, is_default: true },
    `${label(executor)} is the default of ${workspace}`,
  );
}

async function bindTo(
  gateway: Gateway,
  { exe_id }: KnownExecutor,
  workspace: string,
  isDefault: boolean,
): Promise<void> {
  await gateway.call("POST", `${workspacePath(workspace)}/executors`, {
    exe_id,
    is_default: isDefault,
  });
}

async function unbind(flags: Flags, positionals: string[]): Promise<void> {
  const [word] = words(positionals, "EXECUTOR");
  const workspace = required(flags, "workspace");
  const gateway = gatewayOf(flags);
  const executor = pickExecutor(word, await boundTo(gateway, workspace));
  await gateway.call(
    "DELETE",
    `${workspacePath(workspace)}/executors/${encodeURIComponent(executor.exe_id)}`,
  );
  report(
    flags,
    { exe_id: executor.exe_id, workspace_id: workspace, unbound: true },
    `unbound ${
      label(executor)
    } from ${workspace}; what runs there goes on, and tokens that name it are ` +
      "good until they expire (turn revoke ends a turn, workspace revoke all of them)",
  );
}

async function rename(flags: Flags, positionals: string[]): Promise<void> {
  const [word, name] = words(positionals, "EXECUTOR", "NAME");
  const gateway = gatewayOf(flags);
  const executor = await findExecutor(gateway, word);
  await gateway.call("PATCH", executorPath(executor), { display_name: name });
  report(flags, { exe_id: executor.exe_id, name }, `${executor.exe_id} is ${name} now`);
}

async function rotate(flags: Flags, positionals: string[]): Promise<void> {
  const [word] = words(positionals, "EXECUTOR");
  const gateway = gatewayOf(flags);
  const executor = await findExecutor(gateway, word);
  const { exe_id, registration_token } = await gateway.call(
    "POST",
    `${executorPath(executor)}/registration-token`,
    {},
  ) as { exe_id: string; registration_token: string };
  const ca = gateway.ca === undefined ? undefined : ownCa(gateway.ca);
  const run = executorLines(
    executorStarts(gateway.publicUrl, exe_id, registration_token),
    gateway.publicUrl,
    ca !== undefined,
  );
  const lines = run.map(({ releases, line }) => `\n  # ${releases}\n  ${line}\n`).join("");
  report(
    flags,
    { exe_id, registration_token, run, ca },
    `executor            ${exe_id}
registration token  ${registration_token}   (shown this once; the one before it has ended)

On the machine it stands for, stop codex and run:
${lines.trimEnd()}`,
  );
}

async function remove(flags: Flags, positionals: string[]): Promise<void> {
  // The word for it before there was `unbind`.
  if (text(flags, "workspace") !== undefined) return await unbind(flags, positionals);
  const [word] = words(positionals, "EXECUTOR");
  const gateway = gatewayOf(flags);
  const executor = await findExecutor(gateway, word);
  await gateway.call("DELETE", executorPath(executor));
  report(flags, { exe_id: executor.exe_id, removed: true }, `removed ${label(executor)}`);
}

function label({ exe_id, name }: KnownExecutor): string {
  return name ? `${exe_id} (${oneLine(name)})` : exe_id;
}

function report(flags: Flags, object: unknown, line: string): void {
  if (flags.json) printJson(object);
  else print(line);
}
