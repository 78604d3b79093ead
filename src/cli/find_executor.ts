import { nearest } from "../text/nearest.ts";
import type { Gateway } from "./gateway.ts";
import { CommandError } from "./output.ts";

/** An executor as the gateway describes it. */
export interface KnownExecutor {
  readonly exe_id: string;
  readonly name: string;
  readonly user_id: string;
  readonly description: string;
  readonly default_cwd: string;
  readonly registered_at: string;
  readonly last_seen_at?: string;
  readonly connected: boolean;
  readonly kind?: string;
  readonly remote?: string;
  readonly connected_since?: string;
  readonly bridges?: number;
  readonly contested_until?: string;
  readonly workspaces: readonly { readonly workspace_id: string; readonly is_default: boolean }[];
}

/** Every executor of the gateway. */
export async function allExecutors(gateway: Gateway): Promise<KnownExecutor[]> {
  return await gateway.call("GET", "/api/codex-exec/executors") as KnownExecutor[];
}

/**
 * The executor that somebody means: by its id, by its name, or by a beginning of its id that no other has.
 *
 * @throws {CommandError} when there is none, with what it may have been; when there are several
 */
export function pickExecutor(word: string, executors: readonly KnownExecutor[]): KnownExecutor {
  const byId = executors.find(({ exe_id }) => exe_id === word);
  if (byId !== undefined) return byId;
  const named = executors.filter(({ name }) => name === word);
  const begun = word.length < 4
    ? []
    : executors.filter(({ exe_id }) => exe_id.startsWith(word) || exe_id.startsWith(`exe_${word}`));
  const found = named.length > 0 ? named : begun;
  if (found.length === 1) return found[0]!;
  if (found.length > 1) {
    const ids = found.map(({ exe_id }) => exe_id).join(", ");
    throw new CommandError(`${word} may be any of ${found.length} executors, name one: ${ids}`);
  }
  const like = nearest(
    word,
    executors.flatMap(({ exe_id, name }) => [name, exe_id]).filter(Boolean),
  );
  throw new CommandError(
    `there is no executor ${word}${like === undefined ? "" : `; did you mean ${like}?`}`,
  );
}

/** The same, asked of the gateway. */
export async function findExecutor(gateway: Gateway, word: string): Promise<KnownExecutor> {
  return pickExecutor(word, await allExecutors(gateway));
}

/** The path of an executor in the API. */
export function executorPath({ exe_id }: Pick<KnownExecutor, "exe_id">): string {
  return `/api/codex-exec/executors/${encodeURIComponent(exe_id)}`;
}
