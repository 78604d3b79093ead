/**
 * Where the running gateway listens, left in its data directory for the command line to find.
 *
 * @module
 */

/** What the gateway leaves there. */
export interface GatewayFile {
  /** The http:// or https:// URL of the listener on this machine. */
  url: string;
  /** The ws:// or wss:// base that executors and harnesses use, where one is configured. */
  public_ws_base_url?: string;
  /** The certificate of the CA to trust for `url`, where the gateway made its own: a PEM file. */
  ca_file?: string;
}

/** Leaves the file; the data directory exists. `ca_file` is relative to it. */
export function writeGatewayFile(dataDir: string, gateway: GatewayFile): void {
  Deno.writeTextFileSync(path(dataDir), JSON.stringify(gateway) + "\n", { mode: 0o600 });
}

/** What a gateway left, with the path of `ca_file` as this process reads it; `undefined` when none did. */
export function readGatewayFile(dataDir: string): GatewayFile | undefined {
  try {
    const left: GatewayFile = JSON.parse(Deno.readTextFileSync(path(dataDir)));
    return left.ca_file === undefined ? left : { ...left, ca_file: `${dataDir}/${left.ca_file}` };
  } catch {
    return undefined;
  }
}

function path(dataDir: string): string {
  return `${dataDir}/gateway.json`;
}
