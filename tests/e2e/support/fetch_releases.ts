// deno-lint-ignore-file no-console
/**
 * Fetches every release that the tests need before the first of them runs: some downloads and their
 * unpacking beside a test take longer than it should wait for its executor.
 *
 * @module
 */
import { codexBinary } from "./codex_cache.ts";
import { RELEASES } from "./releases.ts";

for (const release of RELEASES) console.log(`codex ${release}: ${await codexBinary(release)}`);
