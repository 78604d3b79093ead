/**
 * A process that opens the embedded store in the directory it is given, says `open`, and then, for
 * each line of its input, creates an executor with that id and says the id. Tests kill it.
 *
 * @module
 */

import { TextLineStream } from "./lines.ts";
import { Store } from "../../src/store/store.ts";

const [dataDir] = Deno.args;
if (dataDir === undefined) throw new Error("which directory?");
const store = await Store.open({ dataDir });
await say("open");
for await (const exe_id of Deno.stdin.readable.pipeThrough(new TextLineStream())) {
  const executor = { exe_id, user_id: "u", display_name: "", description: "", default_cwd: "" };
  await store.createExecutor(executor, `hash of ${exe_id}`);
  await say(exe_id);
}
await store.close();

async function say(line: string): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(`${line}\n`));
}
