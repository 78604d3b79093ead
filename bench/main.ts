// deno-lint-ignore-file no-console
/**
 * `deno task bench`: the figures in docs/performance.md. They are printed, and kept in
 * `.cache/bench.json` for `deno task bench:docs`.
 *
 * With PostgreSQL where the tests find one (`CXG_TEST_DATABASE_URL`, or the default server).
 *
 * @module
 */
import { databases } from "../tests/support/databases.ts";
import { runColdStart } from "./cold_start.ts";
import { runConnect } from "./connect.ts";
import {
  coldStartMarkdown,
  connectMarkdown,
  relaysMarkdown,
  scaleMarkdown,
  tlsMarkdown,
} from "./markdown.ts";
import { parseOptions, USAGE, UsageError } from "./options.ts";
import { judge } from "./relays/claims.ts";
import { runRelays } from "./relays/run.ts";
import { writeResults } from "./results.ts";
import { runScale } from "./scale/run.ts";
import { runTls } from "./tls/run.ts";

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n${USAGE}`);
  Deno.exit(2);
}

async function main(): Promise<void> {
  if (Deno.args.includes("--help")) return console.log(USAGE);
  if (Deno.build.os !== "linux") throw new UsageError("CPU is read from /proc, which is Linux's");
  const { parts, extent, targets, beside } = parseOptions(Deno.args);
  const quick = extent === "quick";
  if (parts.includes("connect")) {
    const connect = await runConnect(quick);
    console.log(connectMarkdown(connect));
    await writeResults({ connect });
  }
  if (parts.includes("relays")) {
    const run = await runRelays({ extent, targets, beside }, (text) => console.error(text));
    const relays = { run, claims: judge(run) };
    console.log(relaysMarkdown(relays));
    await writeResults({ relays });
  }
  if (parts.includes("tls")) {
    const tls = await runTls(quick);
    console.log(tlsMarkdown(tls));
    await writeResults({ tls });
  }
  if (parts.includes("scale")) {
    const scale = await runScale(quick, (text) => console.error(text));
    console.log(scaleMarkdown(scale));
    await writeResults({ scale });
  }
  if (parts.includes("cold-start")) {
    const postgresql = databases.find(({ name }) => name === "postgresql")!;
    const database = postgresql.available ? await postgresql.create() : undefined;
    try {
      const coldStart = await runColdStart(database?.options.databaseUrl, quick);
      console.log(coldStartMarkdown(coldStart));
      await writeResults({ coldStart });
    } finally {
      await database?.dispose();
    }
  }
}
