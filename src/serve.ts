/**
 * Running the gateway as a program: what a person sees at its start, signals, exit codes.
 *
 * @module
 */
import { complain, print } from "./cli/output.ts";
import { httpUrl } from "./cli/gateway.ts";
import { programName } from "./cli/program_name.ts";
import { type Config, ConfigError, loadConfigFromEnv } from "./config.ts";
import { writeGatewayFile } from "./gateway_file.ts";
import { configureLogging, log } from "./logging.ts";
import { ListenError, Server } from "./server.ts";
import { DatabaseUnavailableError, DataDirectoryError } from "./store/database.ts";
import { within } from "./within.ts";
import { DatabaseTooNewError, MigrationFailedError } from "./store/migrate.ts";

/** How long stopping may take in all, in milliseconds. */
const STOP_TIMEOUT_MS = 9_500;

/** What start-up can fail with for a reason that a person can mend: one line, no stack trace. */
const EXPECTED = [
  ListenError,
  DataDirectoryError,
  DatabaseUnavailableError,
  DatabaseTooNewError,
  MigrationFailedError,
];

/**
 * Serves until SIGTERM or SIGINT.
 *
 * @returns the exit code
 */
export async function serve(): Promise<number> {
  let config: Config;
  let server: Server;
  try {
    config = loadConfigFromEnv();
    configureLogging(config.logLevel);
    server = await Server.start(config);
  } catch (error) {
    if (error instanceof ConfigError) {
      for (const problem of error.problems) complain(`codex-exec-gateway: ${problem}`);
      return 1;
    }
    if (EXPECTED.some((kind) => error instanceof kind)) {
      complain(`codex-exec-gateway: ${(error as Error).message}`);
      return 1;
    }
    throw error;
  }
  const url = httpUrl(config.host, server.addr.port);
  announce(config, server, url);
  await stopSignal();
  log.info("stopping");
  await within(STOP_TIMEOUT_MS, server.shutdown());
  log.info("stopped");
  return 0;
}

function announce(config: Config, { addr }: Server, url: string): void {
  const embedded = config.databaseUrl === undefined;
  if (embedded) {
    writeGatewayFile(config.dataDir, { url, public_ws_base_url: config.publicWsBaseUrl });
  }
  log.info("listening", {
    address: addr.hostname,
    port: addr.port,
    database: embedded ? "embedded" : "postgresql",
  });
  print(`codex-exec-gateway listens on ${url}
${embedded ? `database and secrets: ${config.dataDir}` : "database: PostgreSQL"}

Next, in another terminal:
  ${programName()} executor add --name laptop --workspace ws_demo --default`);
}

/** Resolves at the first SIGTERM or SIGINT; the second one ends the process at once. */
function stopSignal(): Promise<void> {
  let stopping = false;
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      Deno.addSignalListener(signal, () => {
        if (stopping) Deno.exit(130);
        stopping = true;
        resolve();
      });
    }
  });
}
