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
  unavailability,
} from "./database.ts";
import { ConnectionPool, NoConnectionError } from "./postgres_pool.ts";

export interface PostgresOptions {
  /** The most connections held at once. */
  maxConnections?: number;
  /**
   * How long a query or a session may take in all, the wait for a connection included, in
   * milliseconds. A caller of ours is promised its refusal within 2 s.
   */
  timeoutMs?: number;
}

// Not null, or the driver would look for a ~/.pgpass when the server wants a password and the URL has
// none, and end the process where it may not read the environment.
pg.defaults.password = "";

/** What part of the time the server gets: where it can, it ends a statement sooner than we give up. */
const SERVER_SHARE = 0.9;

/** How much longer than a limit of the server's own the client waits for its answer, in milliseconds. */
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
  readonly #config: pg.PoolConfig;
  #pool: ConnectionPool;
  /** Host, port and database, for messages. */
  readonly #where: string;
  readonly #timeoutMs: number;
  readonly #inHand = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  constructor(url: string, { timeoutMs = 1_500, maxConnections = 10 }: PostgresOptions) {
    this.#timeoutMs = timeoutMs;
    this.#config = {
      application_name: "codex-exec-gateway",
      connectionString: url,
      connectionTimeoutMillis: timeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      max: maxConnections,
      statement_timeout: timeoutMs * SERVER_SHARE,
    };
    this.#where = describe(this.#config);
    this.#pool = new ConnectionPool(this.#config);
  }

  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    return this.#keep(() => {
      const deadline = performance.now() + this.#timeoutMs;
      return this.#withClient((client) =>
        this.#run(client, deadline - performance.now(), text, values)
      );
    });
  }

  session<T>(
    work: (query: Query) => Promise<T>,
    { statementTimeoutMs: ownLimitMs }: SessionOptions = {},
  ): Promise<T> {
    return this.#keep(() => {
      const deadline = performance.now() + this.#timeoutMs;
      const timeLeftMs = () =>
        ownLimitMs === undefined ? deadline - performance.now() : ownLimitMs + ANSWER_GRACE_MS;
      return this.#withClient(async (client) => {
        const query: Query = (text, values) => this.#run(client, timeLeftMs(), text, values);
        try {
          if (ownLimitMs !== undefined) await query(`SET statement_timeout = ${ownLimitMs}`);
          const result = await work(query);
          if (ownLimitMs !== undefined) await query("RESET statement_timeout");
          return result;
        } catch (error) {
          throw new SessionFailed(error);
        }
      });
    });
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
    const pool = this.#pool;
    try {
      return await pool.use(work, isUsableAfter);
    } catch (error) {
      if (error instanceof NoConnectionError) {
        if (error.cause instanceof Deno.errors.NotCapable) throw error.cause;
        throw new DatabaseUnavailableError(this.#describe(error.cause));
      }
      const cause = error instanceof SessionFailed ? error.cause : error;
      if (cause instanceof ConnectionLostError) this.#leave(pool);
      throw cause;
    }
  }

  /**
   * Starts anew with another pool. What has cost one connection, such as a network that was cut, is
   * likely to have cost the idle ones too, and each of them would cost a request all of its time.
   */
  #leave(pool: ConnectionPool): void {
    if (pool !== this.#pool || this.#closed !== undefined) return;
    this.#pool = new ConnectionPool(this.#config);
    pool.abandon();
  }

  async #run<Row>(
    client: pg.PoolClient,
    timeoutMs: number,
    text: string,
    values?: readonly unknown[],
  ): Promise<Row[]> {
    if (timeoutMs <= 0) throw new DatabaseUnavailableError(this.#describe("too busy"));
    const config = {
      text,
      ...(values === undefined ? {} : { values: [...values] }),
      query_timeout: Math.ceil(timeoutMs),
    };
    try {
      const result: pg.QueryResult | pg.QueryResult[] = await client.query(config);
      return (Array.isArray(result) ? result.at(-1)?.rows : result.rows) ?? [];
    } catch (error) {
      throw this.#translate(error);
    }
  }

  /** The driver's error is not passed on as the cause: it holds the client and its settings. */
  #translate(error: unknown): unknown {
    const state = sqlState(error);
    const message = this.#describe(error);
    // Without an SQLSTATE it comes from the driver or the socket.
    if (state === undefined || ENDS_CONNECTION.test(state)) return new ConnectionLostError(message);
    return unavailability(state, message) ?? error;
  }

  #describe(error: unknown): string {
    return `${this.#where} is unavailable: ${reason(error)}`;
  }
}

/** The SQLSTATEs with which a server closes the connection: connection exceptions, shutting down. */
const ENDS_CONNECTION = /^(08|57P0)/;

/** The connection is of no use any more: it was closed, or there was no answer in time. */
class ConnectionLostError extends DatabaseUnavailableError {}

/** Carries what a session's work threw past the question whether the connection is still good. */
class SessionFailed extends Error {
  constructor(cause: unknown) {
    super("the session failed", { cause });
  }
}

/** Whether a connection can be used again after this: not when its session may have left traces. */
function isUsableAfter(error: unknown): boolean {
  return !(error instanceof SessionFailed || error instanceof ConnectionLostError);
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
