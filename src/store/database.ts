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
  /**
   * How long one statement may take, in milliseconds, where the engine can be interrupted. Without it
   * the session as a whole has as long as a query.
   */
  statementTimeoutMs?: number;
}

/** The database cannot be reached, was lost, took too long, or is closed: ask again later. */
export class DatabaseUnavailableError extends Error {
  override name = "DatabaseUnavailableError";
}

/** The database has no room to write in: reading may still work. */
export class DatabaseFullError extends DatabaseUnavailableError {
  override name = "DatabaseFullError";
}

/**
 * The database takes no writes from us: it is a standby or was made read-only, or the role has lost the
 * right to. Reading may still work.
 */
export class DatabaseReadOnlyError extends DatabaseUnavailableError {
  override name = "DatabaseReadOnlyError";
  /** @param code the SQLSTATE that the database gave */
  constructor(message: string, readonly code: string) {
    super(message);
  }
}

/** The database is not set up so that it can be used. The message says what a person has to do. */
export class DatabaseSetupError extends Error {
  override name = "DatabaseSetupError";
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

/**
 * The error to throw when a statement failed for want of something and not by its own fault, else
 * `undefined`.
 *
 * @param state the SQLSTATE that the database gave
 */
export function unavailability(
  state: string,
  message: string,
): DatabaseUnavailableError | undefined {
  if (state === DISK_FULL) return new DatabaseFullError(message);
  if (state === READ_ONLY || state === INSUFFICIENT_PRIVILEGE) {
    return new DatabaseReadOnlyError(message, state);
  }
  // Connection exceptions, a transaction rolled back (on a standby for the sake of what it replays),
  // out of resources, operator intervention (shut down, cancelled by the time limit), and errors of the
  // system below.
  const away = ["08", "40", "53", "57", "58"].includes(state.slice(0, 2));
  return away ? new DatabaseUnavailableError(message) : undefined;
}

/** SQLSTATE: the role may not do this. */
export const INSUFFICIENT_PRIVILEGE = "42501";

const DISK_FULL = "53100";
const READ_ONLY = "25006";
