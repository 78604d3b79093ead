/**
 * What the database's URL names in the file system, for the permissions of `deno task start`: it runs this
 * before the gateway, which must not give itself any.
 *
 * @module
 */
import { filesOf, parsePostgresUrl, type PostgresTarget, socketOf } from "./postgres_url.ts";

/** What has to be read: certificates and keys, and the unix socket. */
export function readable(url = Deno.env.get("CXG_DATABASE_URL")): string[] {
  const target = parse(url);
  return target === undefined ? [] : [...filesOf(target), ...writable(url)];
}

/** What has to be written to: the unix socket. */
export function writable(url = Deno.env.get("CXG_DATABASE_URL")): string[] {
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
