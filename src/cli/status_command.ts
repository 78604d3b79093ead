import config from "../../deno.json" with { type: "json" };
import { type Command, type Flags, gatewayOf, words } from "./flags.ts";
import { print, printJson } from "./output.ts";
import { table } from "./table.ts";

/** `status`: what runs, and what is connected to it. */
export const STATUS_COMMAND: Command = { options: {}, run: status };

async function status(flags: Flags, positionals: string[]): Promise<void> {
  words(positionals);
  const gateway = gatewayOf(flags);
  const answer = await gateway.call("GET", "/api/codex-exec/status") as Record<string, unknown>;
  if (flags.json) return printJson({ url: gateway.url, ...answer });
  print(table([
    ["gateway", gateway.url],
    ["version", `${answer.version} (this command line: ${config.version})`],
    ["runs since", `${answer.started_at}`],
    ["database", `${answer.database}${answer.database_answers ? "" : ", which does not answer"}`],
    ["executors", `${answer.executors_connected} connected`],
    ["bridges", `${answer.bridges}`],
  ]));
}
