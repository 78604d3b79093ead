/**
 * `db adopt`: brings a database of the Go original over. The one command that opens the database itself:
 * no gateway can run on it yet.
 *
 * @module
 */
import { variable } from "../env/variables.ts";
import { oneLine } from "../text/one_line.ts";
import { DatabaseSetupError, DatabaseUnavailableError } from "../store/database.ts";
import type { Adoption } from "../store/adopt.ts";
import { CommandError, print, printJson, UsageError } from "./output.ts";

/** What the command takes besides the common options. */
export const ADOPT_OPTIONS = { "dry-run": { type: "boolean" } } as const;

/** How long a statement of the command's may take, in milliseconds: nobody waits for its answer. */
const TIMEOUT_MS = 60_000;

/** Runs it, on the database that `CXG_DATABASE_URL` names. */
export async function adoptDatabase(
  flags: Readonly<Record<string, unknown>>,
  positionals: readonly string[],
): Promise<void> {
  if (positionals.length > 0) throw new UsageError(`unexpected argument: ${positionals[0]}`);
  const url = variable("CXG_DATABASE_URL");
  if (!url) {
    throw new CommandError("CXG_DATABASE_URL is not set: set it to the original's database");
  }
  const isDryRun = flags["dry-run"] === true;
  const adoption = await run(url, isDryRun);
  if (flags.json) {
    printJson({
      adopted: adoption !== undefined && !isDryRun,
      dry_run: isDryRun,
      ...adoption,
    });
  } else if (adoption === undefined) {
    print("the database is this gateway's already: there is nothing to do");
  } else {
    print(describe(adoption, isDryRun));
  }
}

async function run(url: string, isDryRun: boolean): Promise<Adoption | undefined> {
  // Loaded by need: the other commands do without a database.
  const { openPostgres } = await import("../store/postgres.ts");
  const { adopt } = await import("../store/adopt.ts");
  const { MigrationFailedError } = await import("../store/migrate.ts");
  try {
    const database = await openPostgres(url, { timeoutMs: TIMEOUT_MS });
    try {
      return await adopt(database, { isDryRun });
    } finally {
      await database.close();
    }
  } catch (error) {
    if (
      error instanceof DatabaseSetupError || error instanceof DatabaseUnavailableError ||
      error instanceof MigrationFailedError
    ) throw new CommandError(error.message);
    throw error;
  }
}

function describe(adoption: Adoption, isDryRun: boolean): string {
  const { database, schema, executors, bindings, nulls, without_token, defaults } = adoption;
  const kept = Object.values(adoption.kept_as).join(", ");
  return [
    isDryRun
      ? `would bring over the Go original's database ${database} (schema ${schema}):`
      : `brought over the Go original's database ${database} (schema ${schema}):`,
    `  ${executors} executors, whose registration tokens stay good` +
    (nulls === 0 ? "" : `; ${nulls} texts that were null become empty`),
    `  ${bindings} bindings, in the order in which they were made`,
    ...defaults.map(({ workspace_id, kept, dropped }) =>
      `  workspace ${workspace_id} had ${
        dropped.length + 1
      } defaults: ${kept}, bound first, stays ` +
      `its default; ${dropped.join(", ")} stay bound`
    ),
    ...without_token.map((exeId) =>
      `  ${exeId} has no registration token: register it anew, or it can never connect`
    ),
    `  the original's tables are kept as ${kept}; drop them when you no longer want to go back`,
    ...isDryRun ? ["nothing was changed: this was a dry run"] : [],
  ].map(oneLine).join("\n");
}
