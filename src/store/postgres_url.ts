/**
 * The URL of a PostgreSQL server, read as libpq reads it. Where it cannot be meant as it stands, such as
 * with a password that was not percent-encoded, it is refused: guessing would send a part of the
 * password to whichever host the rest names.
 *
 * @module
 */

/** How a connection is protected, by libpq's names. */
export const SSL_MODES = [
  "disable",
  "allow",
  "prefer",
  "require",
  "verify-ca",
  "verify-full",
] as const;

/** See https://www.postgresql.org/docs/current/libpq-ssl.html, table 32.1. */
export type SslMode = typeof SSL_MODES[number];

/** What a URL names. What it leaves open is absent. */
export interface PostgresTarget {
  /** A name or an address, or the directory of a unix socket. */
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  readonly applicationName?: string;
  /** Command line options for the server's session, such as `-c search_path=gateway`. */
  readonly options?: string;
  readonly sslMode?: SslMode;
  /** A file with the certificates of the authorities that are trusted, or `system`. */
  readonly sslRootCert?: string;
  /** The file of this client's certificate. */
  readonly sslCert?: string;
  /** The file of its private key. */
  readonly sslKey?: string;
  /** Whether TLS begins at once, and not by a question. */
  readonly sslDirect?: boolean;
}

/** The URL cannot be used. The message says why, begins in mid-sentence, and quotes nothing secret. */
export class PostgresUrlError extends Error {
  override name = "PostgresUrlError";
}

const EXAMPLE = "postgres://user:password@host:5432/database";

const ENCODE = "a user name or password with a character such as @ / ? # : or % in it must be " +
  "percent-encoded (@ is %40, / is %2F, ? is %3F, # is %23, : is %3A, % is %25)";

const BRACKETS = "an IPv6 address stands in brackets";

/** Parameters that change nothing here: the gateway has its own limits, and speaks UTF-8. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  "client_encoding",
  "connect_timeout",
  "fallback_application_name",
  "gsslib",
  "keepalives",
  "keepalives_count",
  "keepalives_idle",
  "keepalives_interval",
  "krbsrvname",
  "load_balance_hosts",
  "pool_health_check_period",
  "pool_max_conn_idle_time",
  "pool_max_conn_lifetime",
  "pool_max_conn_lifetime_jitter",
  "pool_max_conns",
  "pool_min_conns",
  "sslcompression",
  "sslsni",
  "tcp_user_timeout",
]);

/** Parameters of which only some values can be honoured. */
const LIMITED: Readonly<Record<string, readonly string[]>> = {
  channel_binding: ["disable", "prefer"],
  gssencmode: ["disable", "prefer"],
  target_session_attrs: ["any", "read-write", "primary", "prefer-standby"],
};

/** The parameters that are honoured. */
const HONOURED = [
  "application_name",
  "dbname",
  "host",
  "options",
  "password",
  "port",
  "sslcert",
  "sslkey",
  "sslmode",
  "sslnegotiation",
  "sslrootcert",
  "user",
] as const;

type Parameter = typeof HONOURED[number];

/**
 * Reads a URL.
 *
 * @param text `postgres://user:password@host:port/database?parameter=value`
 * @throws {PostgresUrlError}
 */
export function parsePostgresUrl(text: string): PostgresTarget {
  const scheme = /^postgres(?:ql)?:\/\//i.exec(text)?.[0];
  if (scheme === undefined) throw notAUrl(text);
  if (/[\s\p{Cc}]/u.test(text)) {
    throw new PostgresUrlError(
      /\s$/.test(text)
        ? "ends in white space: was it read from a file with a line end?"
        : "has white space or a control character in it: percent-encode it (a blank is %20)",
    );
  }
  const rest = text.slice(scheme.length);
  const [, authority = "", path = "", query, fragment] =
    /^([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?(#.*)?$/.exec(rest) ?? [];
  const at = authority.indexOf("@");
  // Each of these is what a URL looks like whose password has such a character in it.
  if (fragment !== undefined || path.includes("@") || at !== authority.lastIndexOf("@")) {
    throw new PostgresUrlError(`cannot be read: ${ENCODE}`);
  }
  const parameters = parseQuery(query ?? "");
  const credentials = at < 0 ? "" : authority.slice(0, at);
  const [hostText, portText] = splitPort(authority.slice(at + 1));
  const colon = credentials.indexOf(":");
  const user = decode(colon < 0 ? credentials : credentials.slice(0, colon));
  const password = colon < 0 ? "" : decode(credentials.slice(colon + 1));
  // In libpq, too, a parameter goes before what stands in its place.
  const host = oneHost(parameters.host ?? decode(hostText));
  return withoutAbsent({
    host: host || undefined,
    port: parsePort(parameters.port ?? portText),
    user: (parameters.user ?? user) || undefined,
    password: (parameters.password ?? password) || undefined,
    database: (parameters.dbname ?? decode(path)) || undefined,
    applicationName: parameters.application_name || undefined,
    options: parameters.options || undefined,
    ...parseTls(parameters),
  });
}

/** The files that the URL names, which the program must be allowed to read. */
export function filesOf({ sslRootCert, sslCert, sslKey }: PostgresTarget): string[] {
  return [sslRootCert === "system" ? undefined : sslRootCert, sslCert, sslKey]
    .filter((file) => file !== undefined);
}

/** The unix socket that the URL names, if it names one; an abstract one begins with `@`. */
export function socketOf({ host, port = 5432 }: PostgresTarget): string | undefined {
  return host?.startsWith("/") ? `${host}/.s.PGSQL.${port}` : undefined;
}

function notAUrl(text: string): PostgresUrlError {
  const isWords = /^\s*(host|hostaddr|port|user|password|dbname|sslmode|service)\s*=/.test(text);
  return new PostgresUrlError(
    `must be a postgres:// URL (${EXAMPLE})${isWords ? ", not key=value words" : ""}`,
  );
}

function parseQuery(query: string): Partial<Record<Parameter, string>> {
  const parameters: Partial<Record<Parameter, string>> = {};
  for (const part of query.split("&")) {
    if (part === "") continue;
    const [, name = part, value] = /^([^=]*)=(.*)$/.exec(part) ?? [];
    const isKnown = isHonoured(name) || WITHOUT_EFFECT.has(name) || name in LIMITED;
    // It may be the end of a password, which must not be quoted then.
    if (!isKnown && query.includes("@")) throw new PostgresUrlError(`cannot be read: ${ENCODE}`);
    if (!isKnown) {
      throw new PostgresUrlError(
        `has a parameter that cannot be honoured${
          /^[a-z_]{1,40}$/.test(name) ? ` (${name})` : ""
        }` +
          `; those that can are ${HONOURED.join(", ")}`,
      );
    }
    if (value === undefined) {
      throw new PostgresUrlError(`has the parameter ${name} without a value`);
    }
    if (isHonoured(name)) parameters[name] = decode(value);
    const allowed = LIMITED[name];
    if (allowed !== undefined && !allowed.includes(value)) {
      throw new PostgresUrlError(
        `has the parameter ${name} with a value that cannot be honoured: leave it out, ` +
          `or use ${allowed.join(" or ")}`,
      );
    }
  }
  return parameters;
}

function isHonoured(name: string): name is Parameter {
  return (HONOURED as readonly string[]).includes(name);
}

/** Host and port; the host may be an IPv6 address in brackets. */
function splitPort(text: string): [string, string | undefined] {
  if (text.includes(",")) throw severalHosts();
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) {
    throw new PostgresUrlError(`has a host that cannot be read: ${BRACKETS}, and ${ENCODE}`);
  }
  return [host, port];
}

function oneHost(host: string): string {
  if (host.includes(",")) throw severalHosts();
  return host;
}

function severalHosts(): PostgresUrlError {
  return new PostgresUrlError(
    "names several hosts, and the gateway takes one host: a name, an address or a proxy that " +
      "always leads to the server that takes writes",
  );
}

function parsePort(text: string | undefined): number | undefined {
  if (text === undefined || text === "") return undefined;
  if (text.includes(",")) throw severalHosts();
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535) {
    throw new PostgresUrlError(
      `must have a port from 1 to 65535 behind its host; ${BRACKETS}, and ${ENCODE}`,
    );
  }
  return port;
}

function parseTls(parameters: Partial<Record<Parameter, string>>): Partial<PostgresTarget> {
  const { sslmode, sslnegotiation, sslrootcert, sslcert, sslkey } = parameters;
  const sslMode = SSL_MODES.find((mode) => mode === sslmode);
  if (sslmode !== undefined && sslMode === undefined) {
    throw new PostgresUrlError(`must have as sslmode one of ${SSL_MODES.join(", ")}`);
  }
  if (sslnegotiation !== undefined && !["postgres", "direct"].includes(sslnegotiation)) {
    throw new PostgresUrlError("must have as sslnegotiation postgres or direct");
  }
  const sslDirect = sslnegotiation === "direct";
  if (sslDirect && !["require", "verify-ca", "verify-full"].includes(sslMode ?? "prefer")) {
    throw new PostgresUrlError(
      "has sslnegotiation=direct, which needs sslmode=require or stricter",
    );
  }
  if ((sslcert === undefined) !== (sslkey === undefined)) {
    throw new PostgresUrlError("must have both sslcert and sslkey, or neither");
  }
  if (sslrootcert === "system" && sslMode !== undefined && sslMode !== "verify-full") {
    // As libpq: anybody can have a certificate of a public authority, for another name.
    throw new PostgresUrlError("has sslrootcert=system, which needs sslmode=verify-full");
  }
  if (sslMode === "verify-ca" && sslrootcert === undefined) {
    throw new PostgresUrlError("has sslmode=verify-ca, which needs sslrootcert=FILE");
  }
  return {
    sslMode: sslrootcert === "system" ? "verify-full" : sslMode,
    sslRootCert: sslrootcert || undefined,
    sslCert: sslcert || undefined,
    sslKey: sslkey || undefined,
    sslDirect: sslDirect || undefined,
  };
}

function decode(text: string): string {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) {
    throw new PostgresUrlError(
      "has a % that no two hexadecimal digits follow: a % itself is written %25",
    );
  }
  let decoded: string;
  try {
    decoded = decodeURIComponent(text);
  } catch {
    throw new PostgresUrlError("has percent-encoded bytes that are not UTF-8");
  }
  if (decoded.includes("\0")) throw new PostgresUrlError("has a NUL character (%00) in it");
  return decoded;
}

function withoutAbsent(target: PostgresTarget): PostgresTarget {
  return Object.fromEntries(
    Object.entries(target).filter(([, value]) => value !== undefined),
  );
}
