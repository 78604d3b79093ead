/**
 * Where the running gateway listens, left in its data directory for the command line to find.
 *
 * @module
 */

import { replaceFile } from "./replace_file.ts";
import { DataDirectoryError } from "../store/database.ts";
import { readFrom } from "../store/private_directory.ts";

const GATEWAY_FILE = "gateway.json";

/** What the gateway leaves there. */
export interface GatewayFile {
  /** The http:// or https:// URL of the listener on this machine: the public one of two. */
  url: string;
  /** That of the internal endpoints, where they have a port of their own. */
  internal_url?: string;
  /** What to dial for that, where its host is only what the certificate is for. */
  internal_host?: string;
  /** The ws:// or wss:// base that executors and harnesses use, where one is configured. */
  public_ws_base_url?: string;
  /** The certificate of the CA to trust for `url`, where the gateway made its own: a PEM file. */
  ca_file?: string;
}

/** Leaves the file; the data directory exists. `ca_file` is relative to it. */
export function writeGatewayFile(dataDir: string, gateway: GatewayFile): void {
  replaceFile(`${dataDir}/${GATEWAY_FILE}`, JSON.stringify(gateway) + "\n", 0o600);
}

/**
 * What a gateway left, with the path of `ca_file` as this process reads it; `undefined` when none did.
 *
 * @throws {DataDirectoryError} when others may have written it: who is called by it is told the secrets
 */
export function readGatewayFile(dataDir: string): GatewayFile | undefined {
  try {
    const left: GatewayFile = JSON.parse(readFrom(dataDir, GATEWAY_FILE) ?? "");
    return left.ca_file === undefined ? left : { ...left, ca_file: `${dataDir}/${left.ca_file}` };
  } catch (error) {
    if (error instanceof DataDirectoryError) throw error;
    return undefined;
  }
}
