// deno-lint-ignore-file no-console
/**
 * From `deno task start` to the first `/healthz`, with the module cache and the database warm.
 *
 * @module
 */
import { median, report } from "./figures.ts";
import { startGatewayProcess } from "./gateway_process.ts";

const RUNS = 7;

/**
 * Measures and prints.
 *
 * @param databaseUrl a PostgreSQL database, where there is one
 */
export async function benchColdStart(databaseUrl: string | undefined): Promise<void> {
  console.log(`\ncold start to /healthz, median of ${RUNS} (deno task start)`);
  await measure("embedded database", 1500);
  if (databaseUrl === undefined) console.log("  PostgreSQL: not measured, there is no server");
  else await measure("PostgreSQL", 500, databaseUrl);
}

async function measure(name: string, limitMs: number, databaseUrl?: string): Promise<void> {
  const dataDir = await Deno.makeTempDir({ prefix: "cxg-bench-" });
  try {
    const times: number[] = [];
    for (let run = 0; run <= RUNS; run++) {
      await using gateway = await startGatewayProcess(dataDir, databaseUrl);
      // The first one makes the database; it does not count.
      if (run > 0) times.push(gateway.startMs);
    }
    report(name, median(times), "ms", limitMs);
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}
