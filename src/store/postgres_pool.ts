/**
 * Connections to a PostgreSQL server, which can be left all at once.
 *
 * @module
 */

import { Socket } from "node:net";
import pg from "pg";
import { requestCancel } from "./postgres_cancel.ts";

/** No connection could be had; the cause is the driver's error. */
export class NoConnectionError extends Error {
  override name = "NoConnectionError";
}

/** A bounded pool of connections. */
export class ConnectionPool {
  readonly #pool: pg.Pool;
  readonly #config: pg.PoolConfig;
  /** Those of whose statement the server was asked to end, and may end the next one instead. */
  readonly #cancelled = new WeakSet<pg.PoolClient>();
  readonly #sockets = new Set<Socket>();
  /** How many have a connection or wait for one. */
  #users = 0;
  #abandoned = false;

  /** @param config `connectionTimeoutMillis` is how long a user waits for a connection at most */
  constructor(config: pg.PoolConfig) {
    this.#config = config;
    this.#pool = new pg.Pool({ ...config, stream: () => this.#newSocket() });
    // A connection that dies while idle is already out of the pool; unheard, the event would end
    // the process.
    this.#pool.on("error", () => {});
  }

  /**
   * Runs `work` with a connection of its own.
   *
   * @param isUsable whether the connection may be used again after `work` threw this
   * @throws {NoConnectionError} when there is no connection in time
   * @throws what `work` throws
   */
  async use<T>(
    work: (client: pg.PoolClient) => Promise<T>,
    isUsable: (error: unknown) => boolean,
  ): Promise<T> {
    this.#users++;
    try {
      const client = await this.#connect();
      // A lost connection rejects the query in hand and is also an event, which nobody else hears
      // while the connection is out of the pool.
      const ignore = () => {};
      client.on("error", ignore);
      let usable = false;
      try {
        const result = await work(client);
        usable = true;
        return result;
      } catch (error) {
        usable = isUsable(error);
        throw error;
      } finally {
        client.removeListener("error", ignore);
        client.release(!usable || this.#cancelled.has(client));
      }
    } finally {
      this.#users--;
      this.#destroyWhenUnused();
    }
  }

  /**
   * Asks the server to end the statement that the client waits for, by a connection of its own; a pooler
   * passes it on. The client's is not used again, unless {@linkcode hasEnded} says so.
   */
  cancel(client: pg.PoolClient): void {
    this.#cancelled.add(client);
    requestCancel(client, this.#config, this.#newSocket());
  }

  /**
   * Told that the server has ended a statement: where it was asked to, nothing is left that could end the
   * next one. Returns whether it was asked to.
   */
  hasEnded(client: pg.PoolClient): boolean {
    return this.#cancelled.delete(client);
  }

  /**
   * Gives the pool up: those who use it or wait finish, then its connections are closed without a
   * word to the server, which may not hear it.
   */
  abandon(): void {
    this.#abandoned = true;
    this.#destroyWhenUnused();
  }

  /** Closes the connections; nobody uses them any more. */
  async end(): Promise<void> {
    await this.#pool.end();
  }

  async #connect(): Promise<pg.PoolClient> {
    try {
      return await this.#pool.connect();
    } catch (error) {
      throw new NoConnectionError("there is no connection", { cause: error });
    }
  }

  #destroyWhenUnused(): void {
    if (!this.#abandoned || this.#users > 0 || this.#pool.ending) return;
    this.#pool.end();
    for (const socket of this.#sockets) socket.destroy();
  }

  #newSocket(): Socket {
    const socket = new Socket();
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    return socket;
  }
}
