/**
 * `$CODEX_HOME/environments.toml`, by which a turn of codex 0.160 and later reaches several executors.
 *
 * @module
 */
import { AUTHORITIES_FILE } from "./authorities.ts";
import { CommandError } from "./output.ts";
import type { Gateway } from "./gateway.ts";
import { isLoopback } from "./loopback.ts";

/** How long the gateway may take to let a bridge in, in seconds: it waits 8 for one on its way back. */
const CONNECT_TIMEOUT_S = 20;

/** How long the executor may take to answer the first message, in seconds. */
const INITIALIZE_TIMEOUT_S = 20;

/** codex takes 64 characters; what is longer than this was hardly meant as a name. */
const MAX_NAME_LENGTH = 40;

/** What codex calls itself, and nothing. */
const RESERVED = ["local", "none"];

/** An executor as the file has it. */
export interface EnvironmentExecutor {
  readonly exe_id: string;
  /** What people call it, where that is known. */
  readonly name?: string;
  /** What its socket carries, where it is connected. */
  readonly kind?: string;
}

/**
 * The executors with what the gateway knows of them; without, when it does not answer.
 *
 * @param workspace whose binding tells a name
 */
export async function describeExecutors(
  gateway: Gateway,
  workspace: string,
  exeIds: readonly string[],
): Promise<EnvironmentExecutor[]> {
  let bound: EnvironmentExecutor[] = [];
  try {
    const path = `/api/codex-exec/workspaces/${encodeURIComponent(workspace)}/executors`;
    bound = await gateway.call("GET", path) as typeof bound;
  } catch (error) {
    // A token can be minted where no gateway runs.
    if (!(error instanceof CommandError)) throw error;
  }
  return exeIds.map((exe_id) => {
    const executor = bound.find((it) => it.exe_id === exe_id);
    return { exe_id, name: executor?.name, kind: executor?.kind };
  });
}

/**
 * The file. Its environments are the executors in their order, and the first is the default; the
 * harness's own machine is none of them.
 *
 * @param url the gateway's http:// or https:// base
 * @param token a capability token that names them all
 * @param exp when it expires, in unix seconds
 * @param ownCa whether the gateway's certificate is signed by an authority of its own
 */
export function environmentsToml(
  url: string,
  executors: readonly EnvironmentExecutor[],
  token: string,
  exp: number,
  ownCa = false,
): string {
  const base = url.replace(/^http/, "ws");
  const mayBear = base.startsWith("wss:") || isLoopback(base);
  const ids = environmentIds(executors);
  const blocks = executors.map(({ exe_id }, i) => {
    const bridge = `${base}/bridge/${encodeURIComponent(exe_id)}`;
    return [
      "[[environments]]",
      `id = ${quote(ids[i]!)}`,
      // codex sends no header in the clear to another machine.
      ...mayBear
        ? [`url = ${quote(bridge)}`, `auth_bearer_token = ${quote(token)}`]
        : [`url = ${quote(`${bridge}?token=${token}`)}`],
      `connect_timeout_sec = ${CONNECT_TIMEOUT_S}`,
      `initialize_timeout_sec = ${INITIALIZE_TIMEOUT_S}`,
    ].join("\n");
  });
  return `# $CODEX_HOME/environments.toml of a harness, codex 0.160 and later
# good until ${new Date(exp * 1000).toISOString()}; it holds a token: keep it to yourself
${
    !ownCa
      ? ""
      : `# start codex with SSL_CERT_FILE=${AUTHORITIES_FILE}; token mint alone says how to make that\n`
  }default = ${quote(ids[0]!)}
include_local = false

${blocks.join("\n\n")}
`;
}

/** Their names as codex takes them, each once: letters, digits, "-" and "_", 64 at most. */
function environmentIds(executors: readonly EnvironmentExecutor[]): string[] {
  const taken = new Set(RESERVED);
  return executors.map(({ exe_id, name = "" }) => {
    const wanted = (name.length <= MAX_NAME_LENGTH && spell(name)) || spell(exe_id) || "executor";
    let id = wanted;
    for (let n = 2; taken.has(id.toLowerCase()); n++) id = `${wanted}-${n}`;
    taken.add(id.toLowerCase());
    return id;
  });
}

function spell(name: string): string {
  return name.normalize("NFKD").replaceAll(/\p{M}/gu, "").replaceAll(/[^A-Za-z0-9_]+/g, "-")
    .replaceAll(/^-+|-+$/g, "").slice(0, MAX_NAME_LENGTH);
}

/** A TOML basic string. */
function quote(text: string): string {
  return JSON.stringify(text);
}
