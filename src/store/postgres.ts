/**
 * A PostgreSQL server, through a bounded pool of connections.
 *
 * @module
 */

import pg from "pg";
import { checkPostgresVariables, variable, VariableError } from "../env/variables.ts";
import {
  type Database,
  DatabaseReadOnlyError,
  DatabaseSetupError,
  DatabaseUnavailableError,
  type Query,
  type SessionOptions,
  sqlState,
  unavailability,
} from "./database.ts";
import { ConnectionPool, NoConnectionError } from "./postgres_pool.ts";
import { planTls, type Tls } from "./postgres_tls.ts";
import { parsePostgresUrl, PostgresUrlError, socketOf } from "./postgres_url.ts";

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

/** What part of the time the server gets: it is asked to end a statement sooner than we give up. */
const SERVER_SHARE = 0.9;

/** How much longer than a session's own limit its answer is waited for, in milliseconds. */
const ANSWER_GRACE_MS = 1_000;

/**
 * Connects to the server that `url` names and checks that it answers.
 *
 * @param url `postgres://user:password@host:port/database`, with the parameters of libpq; a
 * directory as `host` parameter means a unix socket
 * @throws {DatabaseUnavailableError} when it does not answer; the message never has the password
 * @throws {DatabaseSetupError} when the URL cannot be used, or what it names may not be
 */
export async function openPostgres(url: string, options: PostgresOptions = {}): Promise<Database> {
  try {
    checkPostgresVariables();
  } catch (error) {
    if (error instanceof VariableError) throw new DatabaseSetupError(error.message);
    throw error;
  }
  const database = new PostgresDatabase(url, options);
  try {
    await database.query("SELECT 1");
  } catch (error) {
    // A connection that Deno forbids leaves the pool in a state in which it never ends.
    if (!(error instanceof DatabaseSetupError)) await database.close();
    throw error;
  }
  return database;
}

class PostgresDatabase implements Database {
  #config: pg.PoolConfig;
  #pool: ConnectionPool;
  /** Host, port and database, for messages. */
  readonly #where: string;
  /** The unix socket that is connected to, if it is one. */
  readonly #socket: string | undefined;
  /** What is tried where the server refuses the connection for its TLS, or for want of it. */
  #otherTls: Tls | undefined;
  readonly #timeoutMs: number;
  readonly #inHand = new Set<Promise<unknown>>();
  #closed: Promise<void> | undefined;

  constructor(url: string, { timeoutMs = 1_500, maxConnections = 10 }: PostgresOptions) {
    const target = parse(url);
    this.#timeoutMs = timeoutMs;
    const { host, port, user, password, database, options, sslDirect } = target;
    const config: pg.PoolConfig & { sslnegotiation?: string } = {
      application_name: target.applicationName ?? "codex-exec-gateway",
      connectionTimeoutMillis: timeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      max: maxConnections,
      ssl: false,
      ...{ host, port, user, password, database, options },
      ...sslDirect && { sslnegotiation: "direct" },
    };
    // The driver fills in what the URL leaves open.
    const { ssl: _, sslnegotiation: __, ...plain } = config;
    const filledIn = new pg.Client({ ...plain, ssl: false });
    this.#where = `PostgreSQL database "${filledIn.database}" at ${filledIn.host}:${filledIn.port}`;
    this.#socket = socketOf(filledIn);
    const tls = planTls({ ...target, host: filledIn.host }, variable("PGSSLMODE"));
    this.#otherTls = tls.second;
    this.#config = { ...config, ssl: tls.first };
    this.#pool = new ConnectionPool(this.#config);
  }

  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    return this.#keep(() => {
      const deadline = performance.now() + this.#timeoutMs;
      return this.#withClient((client, pool) =>
        this.#run(pool, client, deadline - performance.now(), text, values)
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
      return this.#withClient(async (client, pool) => {
        const query: Query = (text, values) => this.#run(pool, client, timeLeftMs(), text, values);
        try {
          return await work(query);
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

  async #withClient<T>(
    work: (client: pg.PoolClient, pool: ConnectionPool) => Promise<T>,
  ): Promise<T> {
    let firstFailure: unknown;
    for (;;) {
      const pool = this.#pool;
      try {
        return await pool.use((client) => work(client, pool), isUsableAfter);
      } catch (error) {
        if (!(error instanceof NoConnectionError)) {
          const cause = error instanceof SessionFailed ? error.cause : error;
          if (endsConnections(cause)) this.#leave(pool);
          throw cause;
        }
        if (firstFailure !== undefined || !this.#goesOverToOtherTls(pool, error.cause)) {
          // What the server itself said first is what it is about.
          const isSaid = sqlState(firstFailure) !== undefined;
          throw this.#noConnection(isSaid ? firstFailure : error.cause);
        }
        firstFailure = error.cause;
      }
    }
  }

  /**
   * Where `sslmode` leaves it to the server, goes over to the other way to connect. Not for good: whatever
   * made this one fail may be over when the other one does.
   *
   * @returns whether to try again
   */
  #goesOverToOtherTls(pool: ConnectionPool, cause: unknown): boolean {
    if (this.#otherTls === undefined || !isAboutTls(cause)) return false;
    // Else somebody was quicker.
    if (pool === this.#pool) {
      const { ssl } = this.#config;
      this.#config = { ...this.#config, ssl: this.#otherTls };
      this.#otherTls = ssl as Tls;
      this.#leave(pool);
    }
    return true;
  }

  #noConnection(cause: unknown): Error {
    if (cause instanceof Deno.errors.NotCapable) {
      return new DatabaseSetupError(
        `Deno does not let the program connect to ${this.#where}` +
          (this.#socket === undefined
            ? " (--allow-net)"
            : `: start it with --allow-read=${this.#socket} and --allow-write=${this.#socket}`),
      );
    }
    const message = this.#describe(cause);
    const [, parameter] = /unsupported startup parameter(?: in options)?: (\w+)/.exec(message) ??
      [];
    if (parameter === undefined) return new DatabaseUnavailableError(message);
    return new DatabaseSetupError(
      `${message}: a pooler does not pass it on; take it out of the URL, and set it for the role ` +
        "instead (ALTER ROLE … SET …)",
    );
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
    pool: ConnectionPool,
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
    const timer = setTimeout(() => pool.cancel(client), timeoutMs * SERVER_SHARE);
    try {
      const result: pg.QueryResult | pg.QueryResult[] = await client.query(config);
      return (Array.isArray(result) ? result.at(-1)?.rows : result.rows) ?? [];
    } catch (error) {
      if (sqlState(error) === QUERY_CANCELED && pool.hasEnded(client)) {
        throw new DatabaseUnavailableError(this.#describe("a statement took too long"));
      }
      throw this.#translate(error);
    } finally {
      clearTimeout(timer);
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

/**
 * The SQLSTATEs with which a server closes the connection: connection exceptions, a transaction that was
 * idle for too long, shutting down.
 */
const ENDS_CONNECTION = /^(08|25P0[34]|57P0)/;

const QUERY_CANCELED = "57014";

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
  return !(error instanceof SessionFailed || endsConnections(error));
}

/**
 * Whether the other connections are of no more use than this one. One that takes no writes leads to a
 * server that another has taken over from: new ones may find that.
 */
function endsConnections(error: unknown): boolean {
  return error instanceof ConnectionLostError || error instanceof DatabaseReadOnlyError;
}

/**
 * Whether a connection failed for its TLS, or for want of it. The server says so in words: it speaks no
 * TLS, its rules have no entry for such a connection, or the handshake failed.
 */
function isAboutTls(error: unknown): boolean {
  if (sqlState(error) === INVALID_AUTHORIZATION) return true;
  const { code = "", message = "" } = error as { code?: unknown; message?: string };
  return /SSL connection|certificate|tls|handshake/i.test(message) ||
    /^(ERR_)?(TLS|SSL|CERT|UNABLE_TO|DEPTH_ZERO|SELF_SIGNED)/.test(String(code));
}

const INVALID_AUTHORIZATION = "28000";

/** Why a connection failed, on one line. */
function reason(error: unknown): string {
  // Every address of a host name that has several may be refused.
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const message = first instanceof Error ? first.message : String(first);
  return message.replaceAll(/\s+/g, " ").trim();
}

function parse(url: string) {
  try {
    return parsePostgresUrl(url);
  } catch (error) {
    if (!(error instanceof PostgresUrlError)) throw error;
    throw new DatabaseSetupError(`the PostgreSQL URL ${error.message}`);
  }
}
