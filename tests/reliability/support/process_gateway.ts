import { databases } from "../../support/databases.ts";
import { GatewayProcess } from "../../support/gateway_process.ts";

/**
 * Runs something with a gateway process on a database of its own: PostgreSQL where there is one, since what
 * the gateway needs itself is smaller there.
 *
 * @param variables its CXG_* variables
 */
export async function withGateway(
  variables: Readonly<Record<string, string>>,
  run: (gateway: GatewayProcess) => Promise<void>,
): Promise<void> {
  const database = await databases.findLast(({ available }) => available)!.create();
  try {
    await using gateway = await GatewayProcess.start(database.options, variables);
    await run(gateway);
  } finally {
    await database.dispose();
  }
}
