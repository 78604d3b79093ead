/**
 * What libpq's `sslmode` means to the driver, which has meanings of its own.
 *
 * @module
 */
import { DatabaseSetupError } from "./database.ts";
import { type PostgresTarget, SSL_MODES, type SslMode } from "./postgres_url.ts";

/** The settings of TLS, as the driver takes them; `false` for none. */
export type Tls = false | {
  ca?: string;
  cert?: string;
  key?: string;
  rejectUnauthorized?: boolean;
  checkServerIdentity?: () => undefined;
};

/** How a connection is begun, and how it is begun again when that failed. */
export interface TlsPlan {
  readonly first: Tls;
  /** Absent where nothing else may be tried. */
  readonly second?: Tls;
}

/**
 * Plans the connections to a server.
 *
 * @param environment `PGSSLMODE`, for a URL without `sslmode`
 * @throws {DatabaseSetupError} when a file cannot be read, or `environment` is no mode
 */
export function planTls(target: PostgresTarget, environment?: string): TlsPlan {
  // There is nobody in between.
  if (target.host?.startsWith("/")) return { first: false };
  const mode = target.sslMode ?? modeOf(environment);
  if (mode === "disable") return { first: false };
  const tls = { ...files(target), ...checks(mode, target.sslRootCert !== undefined) };
  if (mode === "allow") return { first: false, second: tls };
  if (mode === "prefer") return { first: tls, second: false };
  return { first: tls };
}

/** A mode that is misspelt must not mean a weaker one. */
function modeOf(environment = "prefer"): SslMode {
  const mode = SSL_MODES.find((mode) => mode === environment);
  if (mode === undefined) {
    throw new DatabaseSetupError(`PGSSLMODE must be one of ${SSL_MODES.join(", ")}`);
  }
  return mode;
}

function checks(mode: SslMode, hasRoot: boolean): Exclude<Tls, false> {
  // The driver leaves out the question for the name only when another answers it.
  const anyName = { checkServerIdentity: () => undefined };
  if (mode === "verify-full") return {};
  // With a root certificate, libpq's weaker modes check what `verify-ca` does.
  return hasRoot ? anyName : { rejectUnauthorized: false };
}

function files({ sslRootCert, sslCert, sslKey }: PostgresTarget): Exclude<Tls, false> {
  return {
    ...sslRootCert !== undefined && sslRootCert !== "system" &&
      { ca: read("sslrootcert", sslRootCert) },
    ...sslCert !== undefined && { cert: read("sslcert", sslCert) },
    ...sslKey !== undefined && { key: read("sslkey", sslKey) },
  };
}

function read(parameter: string, file: string): string {
  let text: string;
  try {
    text = Deno.readTextFileSync(file);
  } catch (error) {
    throw new DatabaseSetupError(
      `the file ${file}, which ${parameter} of the database's URL names, cannot be read: ${
        why(error, file)
      }`,
    );
  }
  if (!/-----BEGIN [A-Z ]+-----/.test(text)) {
    throw new DatabaseSetupError(
      `the file ${file}, which ${parameter} of the database's URL names, is not in the PEM format`,
    );
  }
  return text;
}

function why(error: unknown, file: string): string {
  if (error instanceof Deno.errors.NotFound) return "there is none";
  if (error instanceof Deno.errors.NotCapable) {
    return file.includes(",")
      ? "its path has a comma, which Deno takes for the end of one"
      : `Deno was started without --allow-read=${file}`;
  }
  if (error instanceof Deno.errors.PermissionDenied) return "this user may not read it";
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, " ");
}
