/**
 * What the store needs of a database, and the ways in which one can fail. PostgreSQL and the
 * embedded engine both keep this contract.
 *
 * @module
 */

/**
 * Runs SQL and returns the rows.
 *
 * With `values` (even an empty list), `text` is one statement and `$1`, `$2`, … stand for them.
 * Without, it may hold several statements, and the rows are those of the last.
 */
export type Query = <Row>(text: string, values?: readonly unknown[]) => Promise<Row[]>;

/** A database that answers SQL. Every method throws {@linkcode DatabaseUnavailableError}. */
export interface Database {
  /** Runs SQL on any connection; see {@linkcode Query}. */
  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /**
   * Runs `work` with one connection held for its whole time, for locks and transactions. When
   * `work` throws, what it left open on the connection (transaction, locks) is given up. `work`
   * must use the `query` it is handed: the database's own would wait for the session to end.
   */
  session<T>(work: (query: Query) => Promise<T>, options?: SessionOptions): Promise<T>;
  /** Refuses new work, waits for what is in hand, and lets go of the database. Idempotent. */
  close(): Promise<void>;
}

export interface SessionOptions {
  /** How long one statement may take, in milliseconds, where the engine can be interrupted. */
  statementTimeoutMs?: number;
}

/** The database cannot be reached, was lost, took too long, or is closed: ask again later. */
export class DatabaseUnavailableError extends Error {
  override name = "DatabaseUnavailableError";
}

/** The data directory cannot be used. The message names it and says why. */
export class DataDirectoryError extends Error {
  override name = "DataDirectoryError";
}

/** Another process (or another store of this one) has the data directory open. */
export class DataDirectoryInUseError extends DataDirectoryError {
  override name = "DataDirectoryInUseError";
}

/** The SQLSTATE that the database gave with `error`, such as `23505`, if it gave one. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  const { code } = error;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}
