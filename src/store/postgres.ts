/**
 * A PostgreSQL server, through a bounded pool of connections.
 *
 * @module
 */

import pg from "pg";
import {
  type Database,
  DatabaseUnavailableError,
  type Query,
  type SessionOptions,
  sqlState,
} from "./database.ts";

export interface PostgresOptions {
  /** The most connections held at once. */
  maxConnections?: number;
  /** How long a query may wait for a connection, in milliseconds. */
  connectTimeoutMs?: number;
  /** How long one statement may take, in milliseconds. */
  statementTimeoutMs?: number;
}

// Not null, or the driver would look for a ~/.pgpass when the server wants a password and the URL has
// none, and end the process where it may not read the environment.
pg.defaults.password = "";

/** How much longer than the server's own limit the client waits, in milliseconds. */
const ANSWER_GRACE_MS = 1_000;

/**
 * Connects to the server that `url` names and checks that it answers.
 *
 * @param url `postgres://user:password@host:port/database`, with the parameters of libpq; a
 * directory as `host` parameter means a unix socket
 * @throws {DatabaseUnavailableError} when it does not answer; the message never has the password
 */
export async function openPostgres(url: string, options: PostgresOptions = {}): Promise<Database> {
  const database = new PostgresDatabase(url, options);
  try {
    await database.query("SELECT 1");
  } catch (error) {
    // A connection that Deno forbids leaves the pool in a state in which it never ends.
    if (!(error instanceof Deno.errors.NotCapable)) await database.close();
    throw error;
  }
  return database;
}

class PostgresDatabase implements Database {
  readonly #pool: pg.Pool;
  /** Host, port and database, for messages. */
  readonly #where: string;
  readonly #statementTimeoutMs: number;
  readonly #inHand = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  constructor(url: string, options: PostgresOptions) {
    this.#statementTimeoutMs = options.statementTimeoutMs ?? 10_000;
    const config: pg.PoolConfig = {
      application_name: "codex-exec-gateway",
      connectionString: url,
      connectionTimeoutMillis: options.connectTimeoutMs ?? 1_800,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      max: options.maxConnections ?? 10,
      statement_timeout: this.#statementTimeoutMs,
    };
    this.#where = describe(config);
    this.#pool = new pg.Pool(config);
    // A connection that dies while idle is already out of the pool; unheard, the event would end
    // the process.
    this.#pool.on("error", () => {});
  }

  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    return this.#keep(() =>
      this.#withClient((client) => this.#run(client, this.#statementTimeoutMs, text, values))
    );
  }

  session<T>(work: (query: Query) => Promise<T>, options: SessionOptions = {}): Promise<T> {
    const timeoutMs = options.statementTimeoutMs ?? this.#statementTimeoutMs;
    return this.#keep(() =>
      this.#withClient(async (client) => {
        const query: Query = (text, values) => this.#run(client, timeoutMs, text, values);
        const ownLimit = timeoutMs !== this.#statementTimeoutMs;
        if (ownLimit) await query(`SET statement_timeout = ${timeoutMs}`);
        try {
          const result = await work(query);
          if (ownLimit) await query("RESET statement_timeout");
          return result;
        } catch (error) {
          throw new SessionFailed(error);
        }
      })
    );
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      await Promise.allSettled(this.#inHand);
      await this.#pool.end();
    })();
    return this.#closed;
  }

  /** Starts `work`, unless closed, and has `close` wait for it. */
  #keep<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) {
      return Promise.reject(new DatabaseUnavailableError(`${this.#where} is closed`));
    }
    const promise = work().finally(() => this.#inHand.delete(promise));
    this.#inHand.add(promise);
    return promise;
  }

  async #withClient<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    let client;
    try {
      client = await this.#pool.connect();
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) throw error;
      throw this.#unavailable(error);
    }
    // A lost connection rejects the query in hand and is also an event, which nobody else hears
    // while the connection is out of the pool.
    const ignore = () => {};
    client.on("error", ignore);
    let broken = true;
    try {
      const result = await work(client);
      broken = false;
      return result;
    } catch (error) {
      if (error instanceof SessionFailed) throw error.cause;
      broken = error instanceof DatabaseUnavailableError;
      throw error;
    } finally {
      client.removeListener("error", ignore);
      client.release(broken);
    }
  }

  async #run<Row>(
    client: pg.PoolClient,
    timeoutMs: number,
    text: string,
    values?: readonly unknown[],
  ): Promise<Row[]> {
    const config = {
      text,
      ...(values === undefined ? {} : { values: [...values] }),
      query_timeout: timeoutMs === 0 ? 0 : timeoutMs + ANSWER_GRACE_MS,
    };
    try {
      const result: pg.QueryResult | pg.QueryResult[] = await client.query(config);
      return (Array.isArray(result) ? result.at(-1)?.rows : result.rows) ?? [];
    } catch (error) {
      throw isUnavailable(error) ? this.#unavailable(error) : error;
    }
  }

  /** The driver's error is not passed on as the cause: it holds the client and its settings. */
  #unavailable(error: unknown): DatabaseUnavailableError {
    return new DatabaseUnavailableError(`${this.#where} is unavailable: ${reason(error)}`);
  }
}

/** Carries what a session's work threw past the question whether the connection is still good. */
class SessionFailed extends Error {
  constructor(cause: unknown) {
    super("the session failed", { cause });
  }
}

/**
 * Whether a failed statement says that the server, not the statement, was at fault: an error
 * without SQLSTATE comes from the driver or the socket.
 */
function isUnavailable(error: unknown): boolean {
  const state = sqlState(error);
  if (state === undefined) return true;
  // Connection exceptions, out of resources, and operator intervention: shut down, cancelled by
  // the time limit.
  return ["08", "53", "57"].includes(state.slice(0, 2));
}

/** Why a connection failed, on one line. */
function reason(error: unknown): string {
  // Every address of a host name that has several may be refused.
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const message = first instanceof Error ? first.message : String(first);
  return message.replaceAll(/\s+/g, " ").trim();
}

/** Names host, port and database; never the user's password. */
function describe(config: pg.PoolConfig): string {
  try {
    const { host, port, database } = new pg.Client(config);
    return `PostgreSQL database "${database}" at ${host}:${port}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    // What the URL parser says quotes the URL, and that may hold a password.
    throw new DatabaseUnavailableError("the PostgreSQL URL cannot be understood");
  }
}
