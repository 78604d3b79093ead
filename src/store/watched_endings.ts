/**
 * What ends rights, for all processes that use the database: executors that were removed or given another
 * registration token, and workspaces that were revoked. Times are the database's own.
 *
 * @module
 */
import type { Database } from "./database.ts";

/** For how long it is kept that an executor was changed, in seconds: no outage that is watched over is longer. */
const CHANGES_KEPT_S = 86_400;

/** That an executor was removed, or was given another registration token. */
export interface ExecutorChange {
  readonly change_id: string;
  readonly exe_id: string;
}

/** Of a workspace's tokens, those that were issued up to a time are good no more. */
export interface RevokedWorkspace {
  readonly workspace_id: string;
  /** Unix seconds. */
  readonly issued_until: number;
  /** Until when it has to be kept, in unix seconds. */
  readonly exp: number;
}

const COLUMNS = "workspace_id, issued_until::float8 AS issued_until, exp::float8 AS exp";

/** Both tables. */
export class WatchedEndings {
  readonly #query: Database["query"];

  constructor(query: Database["query"]) {
    this.#query = query;
  }

  /** The executors that were changed in the last `seconds`, by whomever. */
  async executorChanges(seconds: number): Promise<ExecutorChange[]> {
    return await this.#query(
      `SELECT change_id::text AS change_id, exe_id FROM executor_changes
       WHERE changed_at > now() - make_interval(secs => $1::float8)`,
      [seconds],
    );
  }

  /**
   * Revokes the tokens of a workspace that were issued until now, for as long as one can live.
   *
   * @param seconds how long that is
   */
  async revokeWorkspace(workspaceId: string, seconds: number): Promise<RevokedWorkspace> {
    const [row] = await this.#query<RevokedWorkspace>(
      `WITH clock AS (SELECT floor(extract(epoch FROM clock_timestamp()))::bigint AS now)
       INSERT INTO revoked_workspaces (workspace_id, issued_until, exp)
       SELECT $1::text, now, now + $2::bigint FROM clock
       ON CONFLICT (workspace_id) DO UPDATE
       SET issued_until = greatest(revoked_workspaces.issued_until, excluded.issued_until),
         exp = greatest(revoked_workspaces.exp, excluded.exp), revoked_at = now()
       RETURNING ${COLUMNS}`,
      [workspaceId, seconds],
    );
    return row!;
  }

  /** The workspaces that are revoked now; or only those revoked in the last `seconds`, by whomever. */
  async revokedWorkspaces(seconds?: number): Promise<RevokedWorkspace[]> {
    return await this.#query(
      `SELECT ${COLUMNS} FROM revoked_workspaces
       WHERE $1::float8 IS NULL OR revoked_at > now() - make_interval(secs => $1::float8)`,
      [seconds ?? null],
    );
  }

  /**
   * Forgets what is over by the database's clock and the caller's.
   *
   * @param now of the caller's clock, in unix seconds
   */
  async prune(now: number): Promise<void> {
    await this.#query(
      `WITH changes AS (
         DELETE FROM executor_changes WHERE changed_at < now() - make_interval(secs => $2::float8)
       )
       DELETE FROM revoked_workspaces
       WHERE exp < least(floor(extract(epoch FROM now()))::bigint, $1::bigint)`,
      [now, CHANGES_KEPT_S],
    );
  }
}
