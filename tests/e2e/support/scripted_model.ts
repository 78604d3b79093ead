/**
 * `deno task scripted-model COMMAND`: stands in for the LLM when a person tries the gateway out. It
 * asks codex to run one command and repeats what came back.
 *
 * @module
 */
// deno-lint-ignore-file no-console
import { readResponsesRequest, type ScriptedTurn, scriptTurn } from "./model_server.ts";

const PORT = 6061;

const command = Deno.args.join(" ");
if (command === "") {
  console.error("usage: deno task scripted-model COMMAND");
  Deno.exit(2);
}

function farewell(output: string | undefined): string {
  return output === undefined
    ? "codex offered no tool to run a command with: is the executor connected?"
    : `It printed:\n${output}`;
}

let turn: ScriptedTurn;
Deno.serve({
  hostname: "127.0.0.1",
  port: PORT,
  onListen: () =>
    console.log(`a scripted model listens; point codex at it with

  -c model=gpt-5.1-codex -c model_provider=scripted -c 'model_providers.scripted={name="scripted",base_url="http://127.0.0.1:${PORT}/v1",wire_api="responses"}'`),
}, async (httpRequest) => {
  const request = await readResponsesRequest(httpRequest);
  if (request === undefined) return new Response(null, { status: 404 });
  const begins = !request.input?.some(({ type }) => type === "function_call_output");
  if (begins) turn = scriptTurn([command], ([result]) => farewell(result?.output));
  return turn.answer(request);
});
