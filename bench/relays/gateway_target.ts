import type { TestDatabases } from "../../tests/support/databases.ts";
import { GatewayProcess } from "../../tests/support/gateway_process.ts";
import { harnessEnds, registeredUrls, seed } from "../fleet.ts";
import type { Target } from "./target.ts";

/**
 * Starts this gateway, as `deno task start` does, for bridges of one kind, each to an executor of its
 * own.
 *
 * @param databases where its database is made
 * @param mostBridges how many executors it must have
 */
export async function startGatewayTarget(
  kind: "exclusive" | "relay",
  databases: TestDatabases,
  mostBridges: number,
): Promise<Target> {
  const database = await databases.create();
  try {
    const executors = await seed(database.options, kind, mostBridges);
    const gateway = await GatewayProcess.start(database.options, {
      CXG_LOG_LEVEL: "warn",
      // As much as its peers let wait, who have no limit.
      CXG_MAX_BUFFERED: String(2 ** 30),
    });
    return {
      name: kind,
      pid: gateway.pid,
      takesText: kind === "exclusive",
      async ends(bridges) {
        const some = executors.slice(0, bridges);
        return {
          executors: await registeredUrls(gateway, kind, some),
          harnesses: await harnessEnds(gateway, kind, some),
        };
      },
      async [Symbol.asyncDispose]() {
        await gateway[Symbol.asyncDispose]();
        await database.dispose();
      },
    };
  } catch (error) {
    await database.dispose();
    throw error;
  }
}
