import type { TestDatabases } from "../../tests/support/databases.ts";
import { GatewayProcess } from "../../tests/support/gateway_process.ts";
import { harnessEnds, registeredUrls, seed, type Seeded } from "../fleet.ts";
import type { Target } from "./target.ts";

/**
 * Starts this gateway, as `deno task start` does, for bridges of one kind, each to an executor of its
 * own.
 *
 * @param databases where its database is made
 * @param mostBridges how many executors it must have
 * @param checkout the directory of another build to measure beside this one
 */
export async function startGatewayTarget(
  kind: "exclusive" | "relay",
  databases: TestDatabases,
  mostBridges: number,
  checkout?: string,
): Promise<Target> {
  const database = await databases.create();
  try {
    const executors = await (checkout === undefined
      ? seed(database.options, kind, mostBridges)
      : seedBy(checkout, database.options, kind, mostBridges));
    const variables = { CXG_LOG_LEVEL: "warn" };
    const { options } = database;
    const gateway = await GatewayProcess.start(options, variables, undefined, undefined, checkout);
    return {
      name: checkout === undefined ? kind : `${kind}-beside`,
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

/** The same by the other build's own program: its tables may be others. */
async function seedBy(
  checkout: string,
  ...args: Parameters<typeof seed>
): Promise<readonly Seeded[]> {
  const script = `import { seed } from "${checkout}/bench/fleet.ts";
    console.log(JSON.stringify(await seed(...JSON.parse(Deno.args[0]))));
    Deno.exit();`;
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", script, JSON.stringify(args)],
    cwd: checkout,
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`${checkout} could not fill its database`);
  return JSON.parse(new TextDecoder().decode(stdout));
}
