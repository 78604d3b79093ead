/**
 * Variables that somebody meant for the gateway and misspelt.
 *
 * To list the environment's names takes the permission to read all of it, which the gateway does not have
 * under `deno task start`: the task does it before.
 *
 * @module
 */
import { oneLine } from "../text/one_line.ts";

const PREFIX = "CXG_";

/** Every variable that the gateway or its command line reads. */
export const VARIABLES = [
  "CXG_AGENTSERVER_INTERNAL_SECRET",
  "CXG_CAPTOKEN_HMAC_SECRET",
  "CXG_CAPTOKEN_HMAC_SECRET_PREVIOUS",
  "CXG_DATABASE_URL",
  "CXG_DATA_DIR",
  "CXG_HOST",
  "CXG_INTERNAL_HOST",
  "CXG_INTERNAL_PORT",
  "CXG_INTERNAL_SHARED_SECRET",
  "CXG_LOG_LEVEL",
  "CXG_MAX_BUFFERED",
  "CXG_MAX_CONNECTIONS_PER_ADDRESS",
  "CXG_MAX_FRAME",
  "CXG_MAX_STREAMS",
  "CXG_MAX_TOKEN_TTL",
  "CXG_MAX_TOTAL_BUFFERED",
  "CXG_METRICS_SECRET",
  "CXG_PING_INTERVAL",
  "CXG_PORT",
  "CXG_PUBLIC_WS_BASE_URL",
  "CXG_SHARE_PORT",
  "CXG_TLS",
  "CXG_TLS_CERT",
  "CXG_TLS_KEY",
  "CXG_TRUSTED_PROXIES",
  "CXG_WORKSPACE_TOKENS",
];

/**
 * What is wrong with the names of the environment's variables.
 *
 * @param names all of them
 * @returns a line for each that begins as ours do and is none; never a value
 */
export async function unknownVariables(names: readonly string[]): Promise<string[]> {
  const unknown = names
    .filter((name) => name.startsWith(PREFIX) && !VARIABLES.includes(name))
    // What the tests read.
    .filter((name) => !name.startsWith("CXG_TEST_") && !isOfService(name, names))
    .sort();
  if (unknown.length === 0) return [];
  // Loaded by need: every start would wait for it.
  const { nearest } = await import("../text/nearest.ts");
  const known = VARIABLES.map((name) => name.slice(PREFIX.length));
  return unknown.map((name) => {
    const meant = nearest(name.slice(PREFIX.length), known);
    const hint = meant === undefined ? "" : `: did you mean ${PREFIX}${meant}?`;
    return oneLine(`${name} is no variable of the gateway${hint}`);
  });
}

/** Warns of them as the gateway's log would, from a process that may list the environment. */
export async function warnOfUnknownVariables(): Promise<void> {
  const unknown = await unknownVariables(Object.keys(Deno.env.toObject()));
  if (unknown.length === 0) return;
  const { configureLogging, log, logsWritten } = await import("../log/logging.ts");
  configureLogging("warn");
  for (const line of unknown) log.warn(line);
  await logsWritten();
}

/**
 * Whether it is what Kubernetes sets in every pod for a Service whose name begins with `cxg`: `…_SERVICE_HOST`,
 * `…_SERVICE_PORT`, `…_SERVICE_PORT_HTTP`, `…_PORT`, `…_PORT_8080_TCP`, `…_PORT_8080_TCP_ADDR`.
 */
function isOfService(name: string, names: readonly string[]): boolean {
  const [, service, ofPort] =
    /^(.*?)_(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?|(PORT))$/
      .exec(name) ?? [];
  return service !== undefined &&
    (ofPort === undefined || names.includes(`${service}_SERVICE_HOST`));
}
