/**
 * The configuration, all of it from the environment.
 *
 * @module
 */
import { isAddressOrNetwork } from "./limits/client_address.ts";
import { DEFAULT_MAX_TTL_S } from "./auth/capability_token.ts";
import { parseDuration } from "./text/duration.ts";
import { loadOrCreateSecrets, type Secrets } from "./data_dir/secrets.ts";
import { parsePostgresUrl, PostgresUrlError } from "./store/postgres_url.ts";
import {
  CertificateError,
  type CertificateFiles,
  readCertificateFiles,
} from "./tls/certificate.ts";
import { DEFAULT_DATA_DIR, variable, VariableError } from "./env/variables.ts";

/** How much is logged: the named level and what is more severe. */
export type LogLevel = "debug" | "info" | "warn" | "error";

const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

const MIB = 1024 * 1024;

const DEFAULT_PORT = 6060;

/**
 * More than a company behind one NAT or a platform's host has: what it is to prevent is that one address
 * takes all of the file descriptors, of which a service usually has some hundred thousand.
 */
const DEFAULT_MAX_CONNECTIONS_PER_ADDRESS = 16_384;

/**
 * The runtime (Deno 2.9.6) reads no frame of 64 MiB, and cuts the connection of who sends one without a close
 * code. So that one byte more than this is read, and answered with 1009, it is two less.
 */
const LARGEST_FRAME_BYTES = 64 * MIB - 2;

/** Where the internal endpoints are, if nothing else is said, once they have a port of their own. */
export const DEFAULT_INTERNAL_HOST = "127.0.0.1";

/** A TiB: more than any process will have for it. */
const MOST_TOTAL_BUFFERED_BYTES = 1024 * 1024 * MIB;

/** Where the certificate comes from that the gateway serves TLS with. */
export type TlsConfig = CertificateFiles | "self-signed";

/** What a gateway runs with. */
export interface Config {
  /** The TCP port to listen on; 0 lets the system choose. */
  port: number;
  /** The address to listen on. */
  host: string;
  /** Whether another gateway process may listen on the same port, so that one can replace the other. */
  sharePort: boolean;
  /** Where the internal endpoints are served, and nowhere else; with all others when absent. */
  internal?: { readonly host: string; readonly port: number };
  /** The certificate to serve TLS with; without one it serves plain HTTP. */
  tls?: TlsConfig;
  /** The PostgreSQL server; the embedded database in `dataDir` when absent. */
  databaseUrl?: string;
  /** Where the embedded database and the generated secrets are kept. */
  dataDir: string;
  /** Signs and verifies capability tokens, and is what ticket keys are derived from. */
  capTokenHmacSecret: Uint8Array<ArrayBuffer>;
  /** Verifies what it verifies, and signs nothing: the one before, or the next, during a rotation. */
  capTokenHmacSecretPrevious?: Uint8Array<ArrayBuffer>;
  /** The secret of `/api/codex-exec/*`. */
  agentserverInternalSecret: string;
  /** The secret of `/api/exec-gateway/*`. */
  internalSharedSecret: string;
  /** Opens `/metrics` and nothing else, where one is set. */
  metricsSecret?: string;
  /** The ws:// or wss:// base of the URLs handed out; from each request when absent. */
  publicWsBaseUrl?: string;
  /** How many streams the bridges of one executor may hold together. */
  maxStreams: number;
  /**
   * The most that may wait to be sent on a websocket, in bytes. A websocket cannot be paused: what
   * harnesses send to one executor faster than it reads waits here, all of it together.
   */
  maxBufferedBytes: number;
  /** The most that may wait on all websockets together, in bytes; by the memory there is when absent. */
  maxTotalBufferedBytes?: number;
  /** The largest frame that is passed on, in bytes. */
  maxFrameBytes: number;
  /** How many requests in hand and websockets one client address may hold together. */
  maxConnectionsPerAddress: number;
  /** The proxies whose `X-Forwarded-For` is believed: addresses, and networks as address/bits. */
  trustedProxies: readonly string[];
  /** How often a quiet websocket is pinged, in seconds; one that is silent for two of them is dead. */
  pingIntervalS: number;
  /** Whether a capability token that names no executor reaches every one bound to its workspace. */
  workspaceTokens: boolean;
  /** How long a capability token may live, and a revocation is kept at the least, in seconds. */
  maxTokenTtlS: number;
  logLevel: LogLevel;
}

/** Everything that is wrong with the environment, a line each. */
export class ConfigError extends Error {
  override name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** Looks a variable up; `undefined` when it is not set. */
export type Environment = (name: string) => string | undefined;

/**
 * Reads the configuration. A variable set to nothing counts as unset. Without `CXG_DATABASE_URL` the
 * secrets that are not given come from the data directory, where they are made on first use; with it
 * they are required.
 *
 * @throws {ConfigError} naming every bad or missing variable
 * @throws {DataDirectoryError} when the data directory cannot hold the secrets
 */
export function loadConfigFromEnv(env: Environment = (name) => Deno.env.get(name)): Config {
  const problems: string[] = [];
  const read = (name: string) => {
    try {
      return variable(name, env);
    } catch (error) {
      if (!(error instanceof VariableError)) throw error;
      if (!problems.includes(error.message)) problems.push(error.message);
      return undefined;
    }
  };
  const check = <T>(name: string, fallback: T, parse: (text: string) => T | Problem): T => {
    const text = read(name);
    if (text === undefined) return fallback;
    const value = parse(text);
    if (!(value instanceof Problem)) return value;
    problems.push(`${name} ${value.text}`);
    return fallback;
  };

  const host = check("CXG_HOST", "127.0.0.1", parseHost);
  const port = check("CXG_PORT", DEFAULT_PORT, parsePort);
  const sharePort = check("CXG_SHARE_PORT", false, parseSwitch);
  const internalPort = check<number | undefined>("CXG_INTERNAL_PORT", undefined, parsePort);
  const internalHost = check("CXG_INTERNAL_HOST", DEFAULT_INTERNAL_HOST, parseHost);
  const dataDir = check("CXG_DATA_DIR", DEFAULT_DATA_DIR, parsePath);
  const databaseUrl = check("CXG_DATABASE_URL", undefined, parseDatabaseUrl);
  const publicWsBaseUrl = check("CXG_PUBLIC_WS_BASE_URL", undefined, parseWsBaseUrl);
  const maxStreams = check("CXG_MAX_STREAMS", 128, upTo(65_536));
  const maxBufferedBytes = check("CXG_MAX_BUFFERED", 16 * MIB, upTo(4096 * MIB));
  const maxTotalBufferedBytes = check(
    "CXG_MAX_TOTAL_BUFFERED",
    undefined,
    upTo(MOST_TOTAL_BUFFERED_BYTES),
  );
  const maxFrameBytes = check("CXG_MAX_FRAME", LARGEST_FRAME_BYTES, upTo(LARGEST_FRAME_BYTES));
  const maxConnectionsPerAddress = check(
    "CXG_MAX_CONNECTIONS_PER_ADDRESS",
    DEFAULT_MAX_CONNECTIONS_PER_ADDRESS,
    upTo(10_000_000),
  );
  const trustedProxies = check("CXG_TRUSTED_PROXIES", [], parseProxies);
  const pingIntervalS = check("CXG_PING_INTERVAL", 15, parsePingInterval);
  const workspaceTokens = check("CXG_WORKSPACE_TOKENS", false, parseSwitch);
  const maxTokenTtlS = check("CXG_MAX_TOKEN_TTL", DEFAULT_MAX_TTL_S, parseTtl);
  const logLevel = check("CXG_LOG_LEVEL", "info", parseLogLevel);
  let capTokenHmacSecret = check("CXG_CAPTOKEN_HMAC_SECRET", undefined, parseSecret);
  const capTokenHmacSecretPrevious = check(
    "CXG_CAPTOKEN_HMAC_SECRET_PREVIOUS",
    undefined,
    parseSecret,
  );
  let agentserverInternalSecret = check(
    "CXG_AGENTSERVER_INTERNAL_SECRET",
    undefined,
    parseHeaderSecret,
  );
  const internalSharedSecret = check("CXG_INTERNAL_SHARED_SECRET", undefined, parseHeaderSecret);
  const metricsSecret = check("CXG_METRICS_SECRET", undefined, parseHeaderSecret);

  const tls = readTls(read, problems);
  if (tls !== undefined && publicWsBaseUrl?.startsWith("ws:")) {
    problems.push("CXG_PUBLIC_WS_BASE_URL must be a wss:// URL where the gateway serves TLS");
  }
  if (sharePort && port === 0) problems.push("CXG_SHARE_PORT needs a CXG_PORT that is not 0");
  if (sharePort && internalPort === 0) {
    problems.push("CXG_SHARE_PORT needs a CXG_INTERNAL_PORT that is not 0");
  }
  if (internalPort !== undefined && internalPort === port && port !== 0) {
    problems.push("CXG_INTERNAL_PORT must be another port than CXG_PORT");
  }
  const isInternalBad = problems.some((problem) => problem.startsWith("CXG_INTERNAL_"));
  if (internalPort === undefined && read("CXG_INTERNAL_HOST") !== undefined && !isInternalBad) {
    problems.push("CXG_INTERNAL_HOST needs a CXG_INTERNAL_PORT");
  }
  if (read("CXG_DATABASE_URL") !== undefined) {
    for (const name of ["CXG_CAPTOKEN_HMAC_SECRET", "CXG_AGENTSERVER_INTERNAL_SECRET"]) {
      const isNamed = problems.some((problem) => problem.startsWith(`${name} `));
      if (read(name) === undefined && !isNamed) {
        problems.push(`${name} is required when CXG_DATABASE_URL is set`);
      }
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);

  if (capTokenHmacSecret === undefined || agentserverInternalSecret === undefined) {
    const generated: Secrets = loadOrCreateSecrets(dataDir);
    capTokenHmacSecret ??= generated.captoken_hmac_secret;
    agentserverInternalSecret ??= generated.agentserver_internal_secret;
  }
  const equal = equalSecrets({
    CXG_CAPTOKEN_HMAC_SECRET: capTokenHmacSecret,
    CXG_CAPTOKEN_HMAC_SECRET_PREVIOUS: capTokenHmacSecretPrevious,
    CXG_AGENTSERVER_INTERNAL_SECRET: agentserverInternalSecret,
    CXG_INTERNAL_SHARED_SECRET: internalSharedSecret,
    CXG_METRICS_SECRET: metricsSecret,
  });
  if (equal.length > 0) throw new ConfigError(equal);
  return {
    port,
    host,
    sharePort,
    internal: internalPort === undefined ? undefined : { host: internalHost, port: internalPort },
    tls,
    databaseUrl,
    dataDir,
    capTokenHmacSecret: new TextEncoder().encode(capTokenHmacSecret),
    capTokenHmacSecretPrevious: capTokenHmacSecretPrevious === undefined
      ? undefined
      : new TextEncoder().encode(capTokenHmacSecretPrevious),
    agentserverInternalSecret,
    internalSharedSecret: internalSharedSecret ?? agentserverInternalSecret,
    metricsSecret,
    publicWsBaseUrl,
    maxStreams,
    maxBufferedBytes,
    maxTotalBufferedBytes,
    maxFrameBytes,
    maxConnectionsPerAddress,
    trustedProxies,
    pingIntervalS,
    workspaceTokens,
    maxTokenTtlS,
    logLevel,
  };
}

/** The certificate that the variables name, read once so that what is wrong with it is named at start. */
function readTls(read: Environment, problems: string[]): TlsConfig | undefined {
  const mode = read("CXG_TLS");
  const [certFile, keyFile] = [read("CXG_TLS_CERT"), read("CXG_TLS_KEY")];
  if (mode !== undefined && mode !== "self-signed") {
    problems.push("CXG_TLS must be self-signed; for a certificate of your own set CXG_TLS_CERT");
  }
  if (mode !== undefined && (certFile ?? keyFile) !== undefined) {
    problems.push("CXG_TLS goes without CXG_TLS_CERT and CXG_TLS_KEY: one certificate is served");
  }
  if (certFile === undefined && keyFile === undefined) {
    return mode === undefined ? undefined : "self-signed";
  }
  if (certFile === undefined || keyFile === undefined) {
    const [given, missing] = certFile === undefined ? ["KEY", "CERT"] : ["CERT", "KEY"];
    problems.push(`CXG_TLS_${missing} is required when CXG_TLS_${given} is set`);
    return undefined;
  }
  try {
    readCertificateFiles({ certFile, keyFile });
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error;
    problems.push(...error.problems);
  }
  return { certFile, keyFile };
}

/** What is wrong with a value, without the value: it may be a secret in the wrong variable. */
class Problem {
  constructor(readonly text: string) {}
}

function parsePort(text: string): number | Problem {
  const port = Number(text);
  return /^\d+$/.test(text) && port <= 65535
    ? port
    : new Problem("must be a port number from 0 to 65535");
}

function parseSwitch(text: string): boolean | Problem {
  return text === "1" || text === "0" ? text === "1" : new Problem("must be 1 or 0");
}

function parseHost(text: string): string | Problem {
  return /^[A-Za-z0-9.:_-]+$/.test(text) ? text : new Problem("must be an address or a host name");
}

function parsePath(text: string): string | Problem {
  // `deno task start` cannot allow it, and a Deno that may read everything needs no list.
  const isForbidden = () =>
    Deno.permissions.querySync({ name: "read", path: text }).state !== "granted";
  return text.includes(",") && isForbidden()
    ? new Problem("must be a path without a comma, which Deno takes for the end of one")
    : text;
}

function parseDatabaseUrl(text: string): string | Problem {
  try {
    parsePostgresUrl(text);
    return text;
  } catch (error) {
    if (error instanceof PostgresUrlError) return new Problem(error.message);
    throw error;
  }
}

function parseWsBaseUrl(text: string): string | Problem {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const fits = /^wss?:\/\/[^\s?#]+$/.test(text) && url?.username === "" && url.password === "";
  return fits
    ? text.replace(/\/+$/, "")
    : new Problem("must be a ws:// or wss:// URL without credentials, query or fragment");
}

/** Takes whole numbers from 1 to the largest that works. */
function upTo(most: number): (text: string) => number | Problem {
  return (text) =>
    /^[1-9]\d{0,15}$/.test(text) && Number(text) <= most
      ? Number(text)
      : new Problem(`must be a whole number from 1 to ${most}`);
}

/** Seconds, or a duration. Beyond an hour nobody finds a dead peer; beyond 12 days the runtime's timer ends at once. */
function parsePingInterval(text: string): number | Problem {
  const seconds = parseDuration(/^\d+$/.test(text) ? `${text}s` : text);
  return seconds !== undefined && seconds <= 3_600
    ? seconds
    : new Problem("must be from 1 to 3600 seconds, such as 15, 30s or 2m");
}

/** Fewer characters than this can be guessed, or were chosen by a person. */
const MIN_SECRET_LENGTH = 32;

function parseSecret(text: string): string | Problem {
  if (text.trim() !== text) {
    return new Problem(
      "begins or ends with white space: was it read from a file with a line break?",
    );
  }
  if (text.length < MIN_SECRET_LENGTH) {
    return new Problem(
      `must have at least ${MIN_SECRET_LENGTH} characters: make one with openssl rand -hex 32`,
    );
  }
  return text;
}

/** What is wrong with secrets that are the same: whoever is given one holds the other's power too. */
function equalSecrets(secrets: Readonly<Record<string, string | undefined>>): string[] {
  const given = Object.entries(secrets).filter(([, secret]) => secret !== undefined);
  return given.flatMap(([name, secret], i) => {
    const [same] = given.slice(0, i).find(([, other]) => other === secret) ?? [];
    return same === undefined ? [] : [
      `${name} is the same as ${same}: each needs a secret of its own (openssl rand -hex 32)`,
    ];
  });
}

/** A secret that callers send in a header. */
function parseHeaderSecret(text: string): string | Problem {
  const secret = parseSecret(text);
  if (secret instanceof Problem || /^[!-~]+$/.test(secret)) return secret;
  return new Problem("must be of visible ASCII characters: nobody could send it in a header");
}

/** The longest that is worth a row for each turn that was revoked meanwhile. */
const MAX_TTL_S = 366 * 86_400;

function parseTtl(text: string): number | Problem {
  const seconds = parseDuration(text);
  return seconds !== undefined && seconds >= 60 && seconds <= MAX_TTL_S
    ? seconds
    : new Problem("must be a duration from 1m to 366d, such as 12h or 7d");
}

function parseProxies(text: string): readonly string[] | Problem {
  const entries = text.split(",").map((entry) => entry.trim());
  return entries.every(isAddressOrNetwork)
    ? entries
    : new Problem("must be IP addresses, or networks as address/bits, with commas between them");
}

function parseLogLevel(text: string): LogLevel | Problem {
  return LOG_LEVELS.find((level) => level === text.toLowerCase()) ??
    new Problem(`must be one of ${LOG_LEVELS.join(", ")}`);
}
