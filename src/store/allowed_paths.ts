/**
 * What the variables name in the file system, for the permissions of `deno task start`: it runs this
 * before the gateway, which must not give itself any.
 *
 * @module
 */
import { filesOf, parsePostgresUrl, type PostgresTarget, socketOf } from "./postgres_url.ts";
import { DEFAULT_DATA_DIR, variable, VariableError } from "../env/variables.ts";

/**
 * The value of `--allow-read` or `--allow-write`.
 *
 * @param names variables with a path each; `CXG_DATA_DIR` has a default
 * @param ofDatabase what the database needs: {@linkcode readable} or {@linkcode writable}
 */
export function allowed(names: readonly string[], ofDatabase: () => string[]): string {
  const paths = names.map((name) => read(name) ?? "");
  // A comma would end the path, and allow what nobody meant.
  const given = [...paths, ...ofDatabase()].filter((path) => path !== "" && !path.includes(","));
  if (names.includes("CXG_DATA_DIR") && !read("CXG_DATA_DIR")) given.unshift(DEFAULT_DATA_DIR);
  // Deno refuses an empty list, with the whole command.
  return (given.length === 0 ? [DEFAULT_DATA_DIR] : given).join();
}

/** What has to be read: certificates and keys, and the unix socket. */
export function readable(url = read("CXG_DATABASE_URL")): string[] {
  const target = parse(url);
  return target === undefined ? [] : [...filesOf(target), ...writable(url)];
}

/** What has to be written to: the unix socket. */
export function writable(url = read("CXG_DATABASE_URL")): string[] {
  const target = parse(url);
  const socket = target && socketOf(target);
  return socket === undefined ? [] : [socket];
}

/** What is wrong with the URL, the gateway says. */
function parse(url: string | undefined): PostgresTarget | undefined {
  try {
    return url ? parsePostgresUrl(url) : undefined;
  } catch {
    return undefined;
  }
}

/** What cannot be read, the gateway names; the runtime would print it. */
function read(name: string): string | undefined {
  try {
    return variable(name);
  } catch (error) {
    if (error instanceof VariableError) return undefined;
    throw error;
  }
}
