/**
 * Executors as an administrator sees them: all of them, with the workspaces that may reach each.
 *
 * @module
 */
import type { AdminExecutor } from "../model.ts";
import type { Database } from "./database.ts";

/** What may be changed of an executor; what is absent stays as it is. */
export interface ExecutorChange {
  readonly display_name?: string;
  readonly description?: string;
  readonly default_cwd?: string;
}

type Row = Omit<AdminExecutor, "registered_at" | "last_seen_at"> & {
  readonly registered_at: Date;
  readonly last_seen_at: Date | null;
};

const SELECT =
  `SELECT exe_id, user_id, display_name AS name, description, default_cwd, registered_at,
    last_seen_at,
    coalesce(
      (SELECT json_agg(json_build_object('workspace_id', workspace_id, 'is_default', is_default)
         ORDER BY binding_order)
       FROM workspace_executors WHERE workspace_executors.exe_id = executors.exe_id),
      '[]'::json) AS workspaces
  FROM executors`;

/** The table of executors, beyond what the package's methods ask of it. */
export class ExecutorRecords {
  readonly #query: Database["query"];

  constructor(query: Database["query"]) {
    this.#query = query;
  }

  /** All of them, in the order of their registration. */
  async list(): Promise<AdminExecutor[]> {
    const rows = await this.#query<Row>(`${SELECT} ORDER BY registered_at, exe_id`, []);
    return rows.map(fromRow);
  }

  /** One of them, or `undefined` when there is none with this id. */
  async get(exeId: string): Promise<AdminExecutor | undefined> {
    const [row] = await this.#query<Row>(`${SELECT} WHERE exe_id = $1::text`, [exeId]);
    return row && fromRow(row);
  }

  /** Changes what is given. Returns whether there is such an executor. */
  async update(exeId: string, change: ExecutorChange): Promise<boolean> {
    const { display_name = null, description = null, default_cwd = null } = change;
    const rows = await this.#query(
      `UPDATE executors SET display_name = coalesce($2::text, display_name),
         description = coalesce($3::text, description),
         default_cwd = coalesce($4::text, default_cwd)
       WHERE exe_id = $1::text RETURNING exe_id`,
      [exeId, display_name, description, default_cwd],
    );
    return rows.length > 0;
  }

  /**
   * Gives the executor another registration token: what was registered with the one before it ends.
   *
   * @param hash the bcrypt hash of the new one
   * @param digest see `tokenDigest`
   * @returns whether there is such an executor
   */
  async replaceRegistrationToken(exeId: string, hash: string, digest: string): Promise<boolean> {
    const rows = await this.#query(
      `UPDATE executors SET registration_token_hash = $2::text, registration_token_digest = $3::text
       WHERE exe_id = $1::text RETURNING exe_id`,
      [exeId, hash, digest],
    );
    return rows.length > 0;
  }
}

function fromRow({ registered_at, last_seen_at, ...rest }: Row): AdminExecutor {
  return {
    ...rest,
    registered_at: registered_at.toISOString(),
    ...last_seen_at !== null && { last_seen_at: last_seen_at.toISOString() },
  };
}
