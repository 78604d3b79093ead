/**
 * The gateway and its command line as a person starts them, through `deno task`, and ended with the
 * test that started them.
 *
 * @module
 */
import { shellWord } from "../../src/text/shell_word.ts";
import { databases } from "./databases.ts";
import { noteLog, noteSecret, noteSecretsIn, noteSecretsOf } from "./evidence.ts";
import { makeDataDir } from "./files.ts";

const ROOT = new URL("../../", import.meta.url);

/** How long a process may take to do what it is waited for, in milliseconds. */
const TIMEOUT_MS = 90_000;

/** Variables for a process. */
export type Variables = Readonly<Record<string, string>>;

/** How a process ended. */
export interface Exit {
  code: number;
}

/** A running `deno task …` whose output is kept. Disposing ends it and what it started. */
export class Task implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #stdout: Output;
  readonly #stderr: Output;
  #ended = false;
  /** Settles when the process has ended and all of its output is there. */
  readonly exited: Promise<Exit>;

  /**
   * @param args what follows `deno`
   * @param variables its CXG_* variables: those of the test's own process are not handed on
   * @param ownGroup whether it leads a process group, as a shell with job control would have it
   * @param onTerminal whether it writes to a terminal, both streams to the same one
   */
  constructor(
    args: readonly string[],
    variables: Variables,
    { ownGroup = false, onTerminal = false } = {},
  ) {
    noteSecretsOf(variables);
    const argv = [Deno.execPath(), ...args];
    const [program, ...rest] = onTerminal
      ? ["script", "-qefc", argv.map(shellWord).join(" "), "/dev/null"]
      : argv;
    this.#child = new Deno.Command(program!, {
      args: rest,
      cwd: ROOT,
      env: { ...inheritedVariables(), NO_COLOR: "1", ...variables },
      clearEnv: true,
      detached: ownGroup,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#stdout = new Output(this.#child.stdout);
    this.#stderr = new Output(this.#child.stderr);
    this.exited = this.#exit();
  }

  /** The process that `deno task` is. */
  get pid(): number {
    return this.#child.pid;
  }

  /** What it has written on standard output so far. */
  get stdout(): string {
    return this.#stdout.text;
  }

  /** What it has written on standard error so far. */
  get stderr(): string {
    return this.#stderr.text;
  }

  /** The complete lines of {@linkcode stderr}. */
  get stderrLines(): string[] {
    return this.stderr.split("\n").slice(0, -1);
  }

  /** The log records it has written: the lines of standard error, of which each must be JSON. */
  get records(): Record<string, unknown>[] {
    return this.stderrLines.map((line) => JSON.parse(line));
  }

  /** Sends a signal to `deno task`, which hands it on, or to the whole process group. */
  signal(signal: "SIGTERM" | "SIGINT", { toGroup = false } = {}): void {
    Deno.kill(toGroup ? -this.#child.pid : this.#child.pid, signal);
  }

  /**
   * Waits until standard output matches.
   *
   * @throws when the process ends without, or takes too long
   */
  async stdoutMatch(pattern: RegExp): Promise<RegExpExecArray> {
    return await this.#until(this.#stdout, () => pattern.exec(this.stdout), String(pattern));
  }

  /** Waits until standard error matches; see {@linkcode stdoutMatch}. */
  async stderrMatch(pattern: RegExp): Promise<RegExpExecArray> {
    return await this.#until(this.#stderr, () => pattern.exec(this.stderr), String(pattern));
  }

  /** Waits for a log record with this message, and that exe_id if one is named. */
  async record(message: string, exeId?: string): Promise<Record<string, unknown>> {
    const find = () =>
      this.records.find((it) => it.message === message && (!exeId || it.exe_id === exeId));
    return await this.#until(this.#stderr, find, `a log record "${message}"`);
  }

  /** Ends the process, and its children with it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) {
      // Killed alone, it would leave the gateway behind.
      for (const pid of await descendants(this.#child.pid)) kill(pid);
      kill(this.#child.pid);
    }
    await this.exited;
  }

  async #exit(): Promise<Exit> {
    const { code } = await this.#child.status;
    this.#ended = true;
    await Promise.all([this.#stdout.ended, this.#stderr.ended]);
    noteSecretsIn(this.stdout);
    noteLog(this.stderr);
    return { code };
  }

  async #until<T>(output: Output, find: () => T | null | undefined, what: string): Promise<T> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, TIMEOUT_MS);
    const start = performance.now();
    try {
      for (;;) {
        const changed = output.changed;
        const found = find();
        if (found !== null && found !== undefined) return found;
        if (output.closed || performance.now() - start >= TIMEOUT_MS) break;
        await Promise.race([changed, late.promise]);
      }
    } finally {
      clearTimeout(timer);
    }
    const why = output.closed ? "it has ended" : `not within ${TIMEOUT_MS} ms`;
    throw new Error(`the process did not write ${what}: ${why}\n${this.stderr}${this.stdout}`);
  }
}

/** A gateway that listens. */
export class Gateway extends Task {
  /** Where it said that it listens. */
  url = "";

  /** Starts `deno task -q start` on a free port and waits until it says that it listens. */
  static async start(
    dataDir: string,
    variables: Variables = {},
    options: { ownGroup?: boolean } = {},
  ): Promise<Gateway> {
    const gateway = new Gateway(
      ["task", "-q", "start"],
      { CXG_DATA_DIR: dataDir, CXG_PORT: "0", ...variables },
      options,
    );
    try {
      gateway.url = String((await gateway.record("listening")).url);
      await noteGeneratedSecrets(dataDir);
      return gateway;
    } catch (error) {
      await gateway[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The ws:// URL of a path. */
  ws(path: string): string {
    return `${this.url.replace(/^http/, "ws")}${path}`;
  }
}

async function noteGeneratedSecrets(dataDir: string): Promise<void> {
  // Where all are given, none are generated.
  const text = await Deno.readTextFile(`${dataDir}/secrets.json`).catch(() => "{}");
  for (const secret of Object.values<string>(JSON.parse(text))) noteSecret("configured", secret);
}

/** What a process that has ended left behind. */
export interface Finished extends Exit {
  stdout: string;
  stderr: string;
  stderrLines: string[];
}

/** Runs `deno task -q start` where it is to end by itself. */
export function runGateway(variables: Variables): Promise<Finished> {
  return run(["task", "-q", "start"], { CXG_PORT: "0", ...variables });
}

/** Runs `deno task -q cli` with these words. */
export function runCli(dataDir: string, words: readonly string[], variables: Variables = {}) {
  return run(["task", "-q", "cli", ...words], { CXG_DATA_DIR: dataDir, ...variables });
}

async function run(args: string[], variables: Variables): Promise<Finished> {
  await using task = new Task(args, variables);
  const timer = setTimeout(() => task[Symbol.asyncDispose](), TIMEOUT_MS);
  const { code } = await task.exited;
  clearTimeout(timer);
  const { stdout, stderr, stderrLines } = task;
  return { code, stdout, stderr, stderrLines };
}

/** A directory of a test's own. */
export class TempDir implements AsyncDisposable {
  readonly #remove: () => Promise<void>;

  private constructor(readonly path: string, remove: () => Promise<void>) {
    this.#remove = remove;
  }

  /** An empty one. */
  static async empty(): Promise<TempDir> {
    const path = await makeDataDir();
    return new TempDir(path, () => Deno.remove(path, { recursive: true }));
  }

  /** A data directory with a database made before: to make one takes seconds. */
  static async withDatabase(): Promise<TempDir> {
    const { options, dispose } = await databases.find(({ name }) => name === "embedded")!.create();
    return new TempDir(options.dataDir, dispose);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#remove();
  }
}

/** A stream of a process, read to its end as text. */
class Output {
  text = "";
  closed = false;
  /** Resolves at the next change. */
  changed!: Promise<void>;
  readonly ended: Promise<void>;
  #noteChange!: () => void;

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#awaitChange();
    this.ended = this.#read(stream);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const part of stream.pipeThrough(new TextDecoderStream() as TextTransform)) {
      this.text += part;
      this.#awaitChange();
    }
    this.closed = true;
    this.#awaitChange();
  }

  #awaitChange(): void {
    this.#noteChange?.();
    ({ promise: this.changed, resolve: this.#noteChange } = Promise.withResolvers<void>());
  }
}

type TextTransform = ReadableWritablePair<string, Uint8Array>;

/** What a process needs to run at all, and nothing that would configure a gateway. */
function inheritedVariables(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(Deno.env.toObject()).filter(([name]) => !/^(CXG_|PG)/.test(name)),
  );
}

/** The processes that a process started, and those that they did. */
async function descendants(pid: number): Promise<number[]> {
  const { stdout } = await new Deno.Command("ps", { args: ["-A", "-o", "pid=,ppid="] }).output();
  const rows = new TextDecoder().decode(stdout).trim().split("\n")
    .map((row) => row.trim().split(/ +/).map(Number) as [number, number]);
  const found = [pid];
  for (const parent of found) {
    found.push(...rows.filter(([, ppid]) => ppid === parent).map(([child]) => child));
  }
  return found.slice(1);
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
