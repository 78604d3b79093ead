/**
 * The environment's variables, one by one: what counts as set, and what cannot be read.
 *
 * @module
 */

/** A variable that cannot be read. The message names it, and has nothing of its value. */
export class VariableError extends Error {
  override name = "VariableError";
}

/** Where data is kept when nothing else is said. */
export const DEFAULT_DATA_DIR = "./data";

/** What npm:pg takes from the environment where a URL leaves it open. */
const POSTGRES_VARIABLES = [
  "PGUSER",
  "PGPASSWORD",
  "PGHOST",
  "PGPORT",
  "PGDATABASE",
  "PGBINARY",
  "PGOPTIONS",
  "PGSSLMODE",
  "PGSSLNEGOTIATION",
  "PGCLIENT_ENCODING",
  "PGREPLICATION",
];

/**
 * Reads a variable. One set to nothing counts as unset.
 *
 * @param get the environment
 * @throws {VariableError} when it is not UTF-8
 */
export function variable(
  name: string,
  get: (name: string) => string | undefined = (name) => Deno.env.get(name),
): string | undefined {
  let value;
  try {
    value = get(name);
  } catch (error) {
    // The runtime's own error has the whole value in it.
    if (error instanceof Deno.errors.InvalidData) throw new VariableError(`${name} is not UTF-8`);
    throw error;
  }
  if (!value || (name.endsWith("_PORT") && isServiceLink(value))) return undefined;
  return value;
}

/**
 * Reads what the PostgreSQL driver is going to read, which would end with the value on standard error, or wait
 * for ever for a port that is none.
 *
 * @throws {VariableError} when one of them is not UTF-8, or means nothing
 */
export function checkPostgresVariables(): void {
  for (const name of POSTGRES_VARIABLES) variable(name);
  const port = variable("PGPORT") ?? "5432";
  if (!/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65535) {
    throw new VariableError("PGPORT must be a port number from 1 to 65535");
  }
  if (!["postgres", "direct"].includes(variable("PGSSLNEGOTIATION") ?? "postgres")) {
    throw new VariableError("PGSSLNEGOTIATION must be postgres or direct");
  }
}

/** Whether it is what Kubernetes sets in every pod as the `…_PORT` of a Service: one named `cxg` makes it CXG_PORT. */
function isServiceLink(value: string): boolean {
  return /^(?:tcp|udp|sctp):\/\/\S+:\d+$/i.test(value);
}
