/**
 * The secrets a gateway generates for itself when nothing is configured, kept in its data directory.
 *
 * @module
 */
import { encodeHex } from "../auth/base64url.ts";
import { DataDirectoryError } from "../store/database.ts";
import { checkDataDirectory, readFrom } from "../store/private_directory.ts";

const SECRETS_FILE = "secrets.json";

/** What the gateway and its command line share. */
export interface Secrets {
  captoken_hmac_secret: string;
  agentserver_internal_secret: string;
}

/**
 * The secrets of a data directory, or `undefined` when there are none yet.
 *
 * @throws {DataDirectoryError} when the file cannot be read or is not what was written, or others have a way to
 * it
 */
export function readSecrets(dataDir: string): Secrets | undefined {
  const file = `${dataDir}/${SECRETS_FILE}`;
  let text: string | undefined;
  try {
    text = readFrom(dataDir, SECRETS_FILE);
  } catch (error) {
    if (error instanceof DataDirectoryError) throw error;
    throw new DataDirectoryError(`cannot read ${file}: ${reason(error)}`);
  }
  if (text === undefined) return undefined;
  const secrets = parseSecrets(text);
  if (secrets === undefined) {
    throw new DataDirectoryError(`${file} does not hold the two secrets: restore or remove it`);
  }
  return secrets;
}

/**
 * The secrets of a data directory, made on first use: the directory with mode 0700, the file with 0600.
 *
 * @throws {DataDirectoryError} when it cannot be written or read, or others have a way to it
 */
export function loadOrCreateSecrets(dataDir: string): Secrets {
  return readSecrets(dataDir) ?? createSecrets(dataDir);
}

function createSecrets(dataDir: string): Secrets {
  const secrets: Secrets = {
    captoken_hmac_secret: randomSecret(),
    agentserver_internal_secret: randomSecret(),
  };
  const file = `${dataDir}/${SECRETS_FILE}`;
  // Written aside and linked into place: whoever comes second, or after a crash, never reads half.
  const draft = `${file}.${crypto.randomUUID()}`;
  try {
    Deno.mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    checkDataDirectory(dataDir);
    Deno.writeTextFileSync(draft, JSON.stringify(secrets, null, 2) + "\n", {
      createNew: true,
      mode: 0o600,
    });
    try {
      Deno.linkSync(draft, file);
    } finally {
      Deno.removeSync(draft);
    }
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return readSecrets(dataDir)!;
    if (error instanceof DataDirectoryError) throw error;
    throw new DataDirectoryError(`cannot write to the data directory ${dataDir}: ${reason(error)}`);
  }
  return secrets;
}

function randomSecret(): string {
  return encodeHex(crypto.getRandomValues(new Uint8Array(32)));
}

function parseSecrets(text: string): Secrets | undefined {
  try {
    const { captoken_hmac_secret, agentserver_internal_secret } = JSON.parse(text);
    return isSecret(captoken_hmac_secret) && isSecret(agentserver_internal_secret)
      ? { captoken_hmac_secret, agentserver_internal_secret }
      : undefined;
  } catch {
    return undefined;
  }
}

function isSecret(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

/** The part of a file system error that tells a person what to mend. */
function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotCapable) {
    return `${error.message}. Give Deno --allow-read and --allow-write for it`;
  }
  return error instanceof Error ? error.message : String(error);
}
