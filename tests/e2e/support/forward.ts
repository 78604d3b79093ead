import type { Host } from "../../support/hosts/host.ts";
import { type CapturedProcess, spawnCaptured } from "./process.ts";

/** How long a forward may take to listen on a machine that is busy, in milliseconds. */
const LISTENS_WITHIN_MS = 60_000;

/** A port of a machine's loopback that is passed on. */
export interface Forward extends AsyncDisposable {
  readonly port: number;
}

/**
 * Passes a port of a machine's loopback on to another machine, as `ssh -L` does.
 *
 * @param on whose loopback
 * @param to where it leads
 * @param listenPort the port on the loopback; a free one when 0
 */
export async function startForward(
  on: Host,
  to: Host,
  port: number,
  listenPort = 0,
): Promise<Forward> {
  const dir = await Deno.makeTempDir({ prefix: "cxg-forward-" });
  const script = new URL("loopback_forward.ts", import.meta.url).pathname;
  const process: CapturedProcess = spawnCaptured(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--no-config", "--allow-net", script],
      ...[to.name, `${port}`, `${listenPort}`],
    ],
    cwd: dir,
    host: on,
    env: { PATH: Deno.env.get("PATH")!, NO_COLOR: "1" },
    cleanUp: () => Deno.remove(dir, { recursive: true }),
  });
  try {
    await process.waitForOutput(/^\d+\n/, LISTENS_WITHIN_MS);
  } catch (error) {
    await process[Symbol.asyncDispose]();
    throw error;
  }
  return {
    port: parseInt(process.stdout()),
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}
