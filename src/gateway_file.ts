/**
 * Where the running gateway listens, left in its data directory for the command line to find.
 *
 * @module
 */

/** What the gateway leaves there. */
export interface GatewayFile {
  /** The http:// URL of the listener on this machine. */
  url: string;
  /** The ws:// or wss:// base that executors and harnesses use, where one is configured. */
  public_ws_base_url?: string;
}

/** Leaves the file; the data directory exists. */
export function writeGatewayFile(dataDir: string, gateway: GatewayFile): void {
  Deno.writeTextFileSync(path(dataDir), JSON.stringify(gateway) + "\n", { mode: 0o600 });
}

/** What a gateway left, or `undefined` when none did. */
export function readGatewayFile(dataDir: string): GatewayFile | undefined {
  try {
    return JSON.parse(Deno.readTextFileSync(path(dataDir)));
  } catch {
    return undefined;
  }
}

function path(dataDir: string): string {
  return `${dataDir}/gateway.json`;
}
