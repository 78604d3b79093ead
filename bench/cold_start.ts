/**
 * From `deno task start` to the first `/healthz`, with the module cache and the database warm.
 *
 * @module
 */
import { type Figure, median } from "./figures.ts";
import { startGatewayProcess } from "./gateway_process.ts";

/** What was measured. */
export interface ColdStartRun {
  /** When, in ISO 8601. */
  readonly at: string;
  readonly runs: number;
  readonly figures: readonly Figure[];
}

/**
 * Measures.
 *
 * @param databaseUrl a PostgreSQL database, where there is one
 */
export async function runColdStart(
  databaseUrl: string | undefined,
  quick: boolean,
): Promise<ColdStartRun> {
  const at = new Date().toISOString();
  const runs = quick ? 3 : 7;
  const figures = [await measure("embedded database", runs, 1500)];
  if (databaseUrl !== undefined) {
    figures.push(await measure("PostgreSQL", runs, 500, databaseUrl));
  }
  return { at, runs, figures };
}

async function measure(
  what: string,
  runs: number,
  limit: number,
  databaseUrl?: string,
): Promise<Figure> {
  const dataDir = await Deno.makeTempDir({ prefix: "cxg-bench-" });
  try {
    const times: number[] = [];
    for (let run = 0; run <= runs; run++) {
      await using gateway = await startGatewayProcess(dataDir, databaseUrl);
      // The first one makes the database; it does not count.
      if (run > 0) times.push(gateway.startMs);
    }
    return { what, value: median(times), unit: "ms", limit };
  } finally {
    await Deno.remove(dataDir, { recursive: true });
  }
}
