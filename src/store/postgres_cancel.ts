/**
 * Asking a PostgreSQL server to end a statement. A limit of the server's own, `statement_timeout`, would
 * have to be a parameter of the connection, which poolers refuse, or of a session, which they share.
 *
 * @module
 */
import type { Socket } from "node:net";
import pg from "pg";

/** How long the request may take, in milliseconds. */
const TIMEOUT_MS = 2_000;

/** What the driver knows of a connection, and its types do not. */
interface Connected {
  readonly host: string;
  readonly port: number;
  readonly ssl: pg.PoolConfig["ssl"];
  readonly processID: number | null;
  readonly secretKey: number | null;
}

/** The driver's connection, of which its types leave out the half. */
interface Connection {
  connect(port: number | string, host?: string): void;
  requestSsl(): void;
  cancel(processId: number, secretKey: number): void;
  on(event: "connect" | "sslconnect" | "end" | "error", listener: () => void): void;
}

/**
 * Sends the request, by a connection of its own and protected as the client's; a pooler passes it on. What
 * comes of it shows in the statement.
 *
 * @param client the connection whose statement is to end
 * @param stream a socket that is not connected yet; it is closed afterwards
 */
export function requestCancel(
  client: pg.PoolClient,
  config: pg.PoolConfig & { sslnegotiation?: "postgres" | "direct" },
  stream: Socket,
): void {
  const { host, port, ssl, processID, secretKey } = client as unknown as Connected;
  if (processID === null || secretKey === null) return;
  const isDirect = config.sslnegotiation === "direct";
  const connection = new pg.Connection(
    { ssl, stream: () => stream, sslNegotiation: config.sslnegotiation } as pg.ConnectionConfig,
  ) as unknown as Connection;
  const timer = setTimeout(() => stream.destroy(), TIMEOUT_MS);
  const send = () => connection.cancel(processID, secretKey);
  connection.on("error", () => stream.destroy());
  connection.on("end", () => clearTimeout(timer));
  connection.on("sslconnect", send);
  connection.on("connect", () => {
    if (!ssl) send();
    else if (!isDirect) connection.requestSsl();
  });
  if (host.startsWith("/")) connection.connect(`${host}/.s.PGSQL.${port}`);
  else connection.connect(port, host);
}
