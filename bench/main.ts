// deno-lint-ignore-file no-console
/**
 * `deno task bench`: the figures in the docs.
 *
 * With PostgreSQL where the tests find one (`CXG_TEST_DATABASE_URL`, or the default server).
 *
 * @module
 */
import { benchColdStart } from "./cold_start.ts";
import { benchConnect } from "./connect.ts";
import { benchRoundTrips } from "./round_trips.ts";
import { databases } from "../tests/support/databases.ts";

const postgresql = databases.find(({ name }) => name === "postgresql")!;
const database = postgresql.available ? await postgresql.create() : undefined;
try {
  console.log(`deno ${Deno.version.deno}, ${navigator.hardwareConcurrency} cores`);
  await benchConnect();
  await benchRoundTrips();
  await benchColdStart(database?.options.databaseUrl);
} finally {
  await database?.dispose();
}
