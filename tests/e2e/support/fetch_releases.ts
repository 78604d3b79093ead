// deno-lint-ignore-file no-console
/**
 * Fetches every release that the tests need before the first of them runs: some downloads and their
 * unpacking beside a test take longer than it should wait for its executor.
 *
 * @module
 */
import { codexBinary } from "./codex_cache.ts";
import { DIALS_ITS_URL_AGAIN, PAIRS } from "./releases.ts";

const releases = new Set([
  ...PAIRS.flatMap(({ executor, harness }) => [executor, harness]),
  ...DIALS_ITS_URL_AGAIN,
]);
for (const release of releases) console.log(`codex ${release}: ${await codexBinary(release)}`);
