/**
 * A scripted model: what stands in for the LLM when a real codex harness runs a turn.
 *
 * It answers `POST /v1/responses` with server-sent events. Each answer is either the tool calls of
 * the script's next step or, when the script is done, the assistant's message that ends the turn. A
 * command that is still running when codex hands over its output is polled with `write_stdin` until
 * it has ended. One server serves one harness; starting one costs a few milliseconds.
 */

/** A shell command the model asks for, with the arguments of codex's `exec_command` tool. */
export interface Command {
  /** Not `rm -f`: releases from 0.16x refuse that by themselves, whatever the approval policy. */
  cmd: string;
  /** Working directory on the executor; the harness's own when absent. */
  workdir?: string;
  /** On which of the turn's environments; the primary one when absent. */
  environmentId?: string;
  /** How long codex waits before it hands over what there is, in ms: 250 to 30000. */
  yieldMs?: number;
  /** Ends the turn, or goes on with the script, without waiting for a command that still runs. */
  leaveRunning?: boolean;
}

/** One answer of the model: a command, or several commands that codex runs at the same time. */
export type Step = string | Command | (string | Command)[];

/** What became of one command, as the harness reported it to the model. */
export interface CommandResult {
  cmd: string;
  /** What the command printed, all polls joined; the whole tool output when codex ran nothing. */
  output: string;
  /** Absent when the command never ran or had not ended. */
  exitCode?: number;
  /** Codex's own estimate of how much was printed, in tokens of four bytes, before truncation. */
  tokens: number;
  /** Each tool output of the command, verbatim. */
  raw: string[];
}

/** A running scripted model. */
export interface ModelServer extends AsyncDisposable {
  /** What codex takes for a provider's `base_url`. */
  readonly baseUrl: string;
  /** The commands the model has asked for so far, in the order of the script. */
  results(): CommandResult[];
  /** What the harness asked, oldest first: the parsed bodies of its requests. */
  readonly requests: readonly ResponsesRequest[];
}

/** The parts of a `POST /v1/responses` body that a script looks at. */
export interface ResponsesRequest {
  input?: { type: string; call_id?: string; output?: unknown }[];
  tools?: { type: string; name?: string }[];
}

/** One tool call in the making: which command it belongs to, and its answer when it has come. */
interface Call {
  command: Command;
  result: CommandResult;
  answered: boolean;
}

/** Larger than any output: codex caps it by its own policy. */
const MAX_OUTPUT_TOKENS = 10_000_000;

/** A script in progress: what the model answers to each request of one turn. */
export interface ScriptedTurn {
  answer(request: ResponsesRequest): Response;
  results(): CommandResult[];
}

/**
 * Begins a script.
 *
 * @param steps what the model asks for, one step an answer
 * @param farewell the assistant's message when the script is done
 */
export function scriptTurn(
  steps: Step[],
  farewell: (results: CommandResult[]) => string = () => "done",
): ScriptedTurn {
  const script = steps.map((step) => (Array.isArray(step) ? step : [step]).map(toCommand));
  const results: CommandResult[] = [];
  const calls = new Map<string, Call>();
  const polls: unknown[] = [];
  let answers = 0;

  function call(command: Command, result: CommandResult, name: string, args: unknown) {
    const callId = `call_${calls.size + 1}`;
    calls.set(callId, { command, result, answered: false });
    return { type: "function_call", call_id: callId, name, arguments: JSON.stringify(args) };
  }

  /** Takes in the tool outputs that are new, and notes a poll for each command that still runs. */
  function takeIn(request: ResponsesRequest) {
    for (const item of request.input ?? []) {
      const asked = item.call_id === undefined ? undefined : calls.get(item.call_id);
      if (!asked || asked.answered || item.type !== "function_call_output") continue;
      asked.answered = true;
      const sessionId = take(asked.result, textOf(item.output));
      if (sessionId === undefined || asked.command.leaveRunning) continue;
      polls.push(call(asked.command, asked.result, "write_stdin", {
        session_id: sessionId,
        chars: "",
        yield_time_ms: asked.command.yieldMs ?? 30_000,
        max_output_tokens: MAX_OUTPUT_TOKENS,
      }));
    }
  }

  function nextStep() {
    return script.shift()?.map((command) => {
      const result: CommandResult = { cmd: command.cmd, output: "", tokens: 0, raw: [] };
      results.push(result);
      return call(command, result, "exec_command", {
        cmd: command.cmd,
        workdir: command.workdir,
        environment_id: command.environmentId,
        yield_time_ms: command.yieldMs ?? 30_000,
        max_output_tokens: MAX_OUTPUT_TOKENS,
      });
    });
  }

  return {
    answer(request) {
      takeIn(request);
      // Codex also asks for summaries of its history, which are no part of the script.
      const asksForSteps = request.tools?.some((tool) => tool.name === "exec_command");
      const items = !asksForSteps ? [] : polls.length > 0 ? polls.splice(0) : nextStep() ?? [];
      return eventsOf(++answers, items.length > 0 ? items : [message(farewell(results))]);
    },
    results: () => results,
  };
}

/**
 * Starts a scripted model for one turn on a free port.
 *
 * @param steps what the model asks for, one step an answer
 * @param hostname the address of this machine that it listens on
 */
export function startModelServer(steps: Step[], hostname = "127.0.0.1"): ModelServer {
  const turn = scriptTurn(steps);
  const requests: ResponsesRequest[] = [];
  const server = Deno.serve(
    { hostname, port: 0, onListen: () => {} },
    async (httpRequest) => {
      const request = await readResponsesRequest(httpRequest);
      if (request === undefined) return new Response(null, { status: 404 });
      requests.push(request);
      return turn.answer(request);
    },
  );
  return {
    baseUrl: `http://${hostname}:${server.addr.port}/v1`,
    results: () => turn.results(),
    requests,
    [Symbol.asyncDispose]: async () => {
      // A harness killed in mid-answer leaves a request that would hold a graceful shutdown up.
      await Promise.race([server.shutdown(), server.finished]);
    },
  };
}

/** The body of a `POST /v1/responses`; `undefined` for any other request. */
export async function readResponsesRequest(
  request: Request,
): Promise<ResponsesRequest | undefined> {
  const { pathname } = new URL(request.url);
  if (request.method === "POST" && pathname === "/v1/responses") return await request.json();
  await request.body?.cancel();
  return undefined;
}

function toCommand(command: string | Command): Command {
  return typeof command === "string" ? { cmd: command } : command;
}

function message(text: string) {
  return {
    type: "message",
    role: "assistant",
    id: "msg_1",
    content: [{ type: "output_text", text }],
  };
}

/** The events of one answer: what a client of the Responses API needs to hear, and no more. */
function eventsOf(ordinal: number, items: unknown[]): Response {
  const id = `resp_${ordinal}`;
  const usage = { input_tokens: 1, output_tokens: 1, total_tokens: 2 };
  const events = [
    { type: "response.created", response: { id } },
    ...items.map((item) => ({ type: "response.output_item.done", item })),
    { type: "response.completed", response: { id, usage } },
  ];
  const body = events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  return new Response(body.join(""), { headers: { "Content-Type": "text/event-stream" } });
}

/** A tool output is a string, or a list of content parts with a text each. */
function textOf(output: unknown): string {
  if (typeof output === "string") return output;
  if (!Array.isArray(output)) return JSON.stringify(output);
  return output.map((part: { text?: string }) => part.text ?? "").join("");
}

/**
 * Adds one tool output to a command's result. It reads
 * `Chunk ID: … / Wall time: … / Process exited with code N | Process running with session ID N /
 * Original token count: N / Output:`, then what the command printed; anything else is an error text.
 *
 * @returns the session to poll when the command still runs
 */
function take(result: CommandResult, text: string): number | undefined {
  result.raw.push(text);
  const [, head, printed] = /^((?:.*\n)*?)Output:\n([^]*)$/.exec(text) ?? [];
  if (head === undefined || printed === undefined) {
    result.output += text;
    return undefined;
  }
  result.output += printed;
  result.tokens += Number(/^Original token count: (\d+)$/m.exec(head)?.[1] ?? 0);
  const exitCode = /^Process exited with code (-?\d+)$/m.exec(head)?.[1];
  if (exitCode !== undefined) result.exitCode = Number(exitCode);
  const sessionId = /^Process running with session ID (\d+)$/m.exec(head)?.[1];
  return sessionId === undefined ? undefined : Number(sessionId);
}
