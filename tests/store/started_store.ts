import assert from "node:assert/strict";
import { makeDataDir } from "../support/files.ts";
import { TextLineStream } from "./lines.ts";

/** A process that has the store open, with no more permissions than the store is promised to need. */
export function startStore(dataDir: string, { worker = true } = {}) {
  const root = new URL("../../", import.meta.url).pathname;
  const read = worker ? `${dataDir},${root}src/store/pglite_worker.ts` : dataDir;
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--no-lock",
      `--config=${root}deno.json`,
      `--allow-read=${read}`,
      `--allow-write=${dataDir}`,
      new URL("store_process.ts", import.meta.url).pathname,
      dataDir,
    ],
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const input = process.stdin.getWriter();
  const output = process.stdout.pipeThrough(new TextLineStream()).getReader();
  const errors = new Response(process.stderr).text();
  const kill = async () => {
    try {
      process.kill("SIGKILL");
    } catch (error) {
      // It had ended by itself.
      if (!(error instanceof TypeError)) throw error;
    }
    await process.status;
  };
  return {
    kill,
    async say(line: string) {
      await input.write(new TextEncoder().encode(`${line}\n`));
    },
    async expect(line: string) {
      const { value } = await output.read();
      if (value === undefined) assert.fail(await errors);
      assert.equal(value, line);
    },
    /** What it printed when it failed, having said nothing. */
    async failure() {
      assert.notEqual((await process.status).code, 0);
      return await errors;
    },
    async [Symbol.asyncDispose]() {
      await kill();
      await Promise.all([input.abort().catch(() => {}), output.cancel(), errors]);
    },
  };
}

/** Gives a test a directory of its own, empty. */
export async function withDirectory(test: (directory: string) => Promise<void>): Promise<void> {
  const directory = await makeDataDir();
  try {
    await test(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** What is in a directory. */
export async function names(directory: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name).sort();
}

/** Waits for `condition`, for as long as the test may take. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!await condition()) {
    if (Date.now() > deadline) assert.fail("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
