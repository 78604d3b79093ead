/**
 * Running the gateway as a program: what a person sees at its start, signals, exit codes.
 *
 * @module
 */
import { complain, print } from "./cli/output.ts";
import { httpUrl, reachableHost } from "./cli/gateway.ts";
import { programName } from "./cli/program_name.ts";
import { type Config, ConfigError, loadConfigFromEnv } from "./config.ts";
import { writeGatewayFile } from "./data_dir/gateway_file.ts";
import { configureLogging, log, logsWritten } from "./log/logging.ts";
import { oneLine } from "./text/one_line.ts";
import { ListenError } from "./ports.ts";
import { Server } from "./server.ts";
import { shellWord } from "./text/shell_word.ts";
import {
  DatabaseSetupError,
  DatabaseUnavailableError,
  DataDirectoryError,
} from "./store/database.ts";
import { unknownVariables } from "./env/unknown_variables.ts";
import { DEFAULT_DATA_DIR } from "./env/variables.ts";
import { within } from "./time/within.ts";
import { DatabaseTooNewError, MigrationFailedError } from "./store/migrate.ts";
import { OriginalDatabaseError } from "./store/schema_owner.ts";
import { CertificateError } from "./tls/certificate.ts";
import { hostOf } from "./tls/host_names.ts";

/** How long the last log lines have to reach their reader, in milliseconds. */
const LAST_LINES_MS = 1_000;

/** How long stopping may take in all, in milliseconds. */
const STOP_TIMEOUT_MS = 9_500;

/** Ctrl+C under `deno task` arrives twice, from the terminal and from the task, this close together. */
const SAME_SIGNAL_MS = 500;

/** What start-up can fail with for a reason that a person can mend: one line, no stack trace. */
const EXPECTED = [
  ListenError,
  CertificateError,
  DataDirectoryError,
  DatabaseUnavailableError,
  DatabaseSetupError,
  DatabaseTooNewError,
  MigrationFailedError,
];

/**
 * Serves until SIGTERM, SIGINT or SIGHUP.
 *
 * @returns the exit code
 */
export async function serve(): Promise<number> {
  try {
    return await run();
  } finally {
    await within(LAST_LINES_MS, logsWritten());
  }
}

async function run(): Promise<number> {
  let config: Config;
  let server: Server;
  try {
    config = loadConfigFromEnv();
    configureLogging(config.logLevel);
    // `deno task start` has done it before, and may not here.
    if (Deno.permissions.querySync({ name: "env" }).state === "granted") {
      for (const line of await unknownVariables(Object.keys(Deno.env.toObject()))) log.warn(line);
    }
    server = await Server.start(config);
  } catch (error) {
    if (error instanceof ConfigError) {
      for (const problem of error.problems) complain(`codex-exec-gateway: ${oneLine(problem)}`);
      return 1;
    }
    if (EXPECTED.some((kind) => error instanceof kind)) {
      const command = error instanceof OriginalDatabaseError ? `: ${programName()} db adopt` : "";
      complain(`codex-exec-gateway: ${oneLine((error as Error).message)}${command}`);
      return 1;
    }
    throw error;
  }
  announce(config, server);
  await stopSignal();
  log.info("stopping");
  if (await within(STOP_TIMEOUT_MS, server.shutdown())) log.info("stopped");
  else log.warn("stopped before all was in order: it took too long", { ms: STOP_TIMEOUT_MS });
  return 0;
}

/** How this machine reaches a port of the gateway. */
interface Reached {
  readonly url: string;
  /** What to dial, where the URL has another host because the certificate is for no other. */
  readonly host?: string;
}

/** @param addr the host as it is configured, and the port that it has */
function reach(
  { hostname, port }: Pick<Deno.NetAddr, "hostname" | "port">,
  { publicWsBaseUrl }: Config,
  { certificate }: Server,
): Reached {
  if (certificate === undefined) return { url: httpUrl(hostname, port) };
  const isLoopback = ["0.0.0.0", "::", "127.0.0.1", "::1", "localhost"].includes(hostname);
  const local = [reachableHost(hostname), ...isLoopback ? ["localhost"] : []];
  const host = certificate.hostFor([
    ...local,
    ...publicWsBaseUrl ? [hostOf(publicWsBaseUrl)] : [],
  ]);
  const url = httpUrl(host, port, "https");
  return local.includes(host) ? { url } : { url, host: local[0] };
}

function announce(config: Config, server: Server): void {
  const { addr, internalAddr, certificate } = server;
  const { url } = reach({ hostname: config.host, port: addr.port }, config, server);
  const internal = internalAddr &&
    reach({ hostname: config.internal!.host, port: internalAddr.port }, config, server);
  const embedded = config.databaseUrl === undefined;
  const ca = certificate?.ca;
  if (embedded) {
    try {
      writeGatewayFile(config.dataDir, {
        url,
        internal_url: internal?.url,
        internal_host: internal?.host,
        public_ws_base_url: config.publicWsBaseUrl,
        ca_file: ca?.file,
      });
    } catch (error) {
      // A full disk, say: what is in the database can be read all the same.
      log.warn("the command line will not find this gateway: gateway.json cannot be written", {
        error: `${error}`,
      });
    }
  }
  log.info("listening", {
    address: addr.hostname,
    port: addr.port,
    url,
    internal_address: internalAddr?.hostname,
    internal_port: internalAddr?.port,
    ca_file: ca && `${config.dataDir}/${ca.file}`,
    ca_sha256: ca?.fingerprint,
    database: embedded ? "embedded" : "postgresql",
  });
  // What reads a log has that line.
  if (!Deno.stdout.isTerminal()) return;
  print(`codex-exec-gateway listens on ${url}
${internal === undefined ? "" : `its API and metrics: ${internal.url}\n`}${
    ca === undefined
      ? ""
      : `its CA: ${config.dataDir}/${ca.file}\nSHA-256 of that: ${ca.fingerprint}\n`
  }${embedded ? `database and secrets: ${config.dataDir}` : "database: PostgreSQL"}

Next, in another terminal:
  ${nextCommand(config)} executor add --name laptop --workspace ws_demo --default`);
}

/** The command line, told of a data directory where it would not look for itself. */
function nextCommand({ dataDir, databaseUrl }: Config): string {
  if (databaseUrl !== undefined || dataDir === DEFAULT_DATA_DIR) return programName();
  return `CXG_DATA_DIR=${shellWord(dataDir)} ${programName()}`;
}

/**
 * Resolves at the first signal to stop; another one, by a person who cannot wait, ends it at once. SIGHUP is
 * what a terminal sends when it is closed, and by default it would end the process where it stands.
 */
function stopSignal(): Promise<void> {
  let firstAt: number | undefined;
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
      Deno.addSignalListener(signal, () => {
        firstAt ??= performance.now();
        if (performance.now() - firstAt > SAME_SIGNAL_MS) Deno.exit(130);
        resolve();
      });
    }
  });
}
