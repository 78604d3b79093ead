/** A child process whose output is kept, and which never outlives its test. */

import type { Host } from "../../support/hosts/host.ts";

/** How much of a process's output is kept: the last so many characters of each stream. */
const KEPT_CHARACTERS = 4_000_000;

/** How a child process ended. */
export interface Exit {
  /** The exit code; 128 + n for a process ended by signal n. */
  code: number;
  /** The signal that ended it, if one did. */
  signal: Deno.Signal | null;
}

/** A running child process, as {@link spawnCaptured} returns it. */
export interface CapturedProcess extends AsyncDisposable {
  readonly pid: number;
  /** Settles when the process has ended and what it wrote has been read; never rejects. */
  readonly exited: Promise<Exit>;
  /** What the process has written so far. */
  stdout(): string;
  stderr(): string;
  /** Both streams, standard error first: what the message of a failed test should show. */
  output(): string;
  /**
   * The processes that descend from this one and still run, even those it has left behind.
   * Linux only: elsewhere always empty.
   */
  descendants(): Promise<number[]>;
  /**
   * Sends a signal (SIGTERM when none is named) to the process alone, or to what it was to start; no
   * error if that has ended.
   */
  kill(signal?: Deno.Signal): void;
  /**
   * Waits until what the process wrote, on either stream, matches.
   *
   * @throws Error when it has ended without, or after `timeoutMs`, with the output's tail
   */
  waitForOutput(pattern: RegExp, timeoutMs: number): Promise<void>;
}

/** What {@link spawnCaptured} starts. */
export interface SpawnOptions {
  args: string[];
  cwd: string;
  /** The whole environment, but for a variable that marks its descendants: nothing is inherited. */
  env: Record<string, string>;
  /** The machine that it runs on; the test's own when absent. */
  host?: Host;
  /** The executable that signals are for, when the program is a shell that is to start it. */
  starts?: string;
  /** Runs when the process is gone, as the last part of its disposal. */
  cleanUp?: () => Promise<void>;
}

/**
 * Inherited by all that a process starts. Codex gives each command a process group and a session of
 * its own, and leaves them running when it is killed, so neither would find them.
 */
const MARKER = "CODEX_E2E_PROCESS";

/**
 * The markers of what runs, by process: what to kill when the test runner leaves before its tests have
 * disposed of their processes.
 */
const living = new Map<number, string>();
addEventListener("unload", () => {
  for (const marker of living.values()) {
    for (const pid of pidsMarked(marker)) signalQuietly(pid, "SIGKILL");
  }
});

/**
 * Starts a program with standard input closed, and keeps what it writes. Disposing kills it and its
 * descendants, and waits for the end.
 *
 * @param path the executable's absolute path
 * @throws Deno.errors.NotFound when there is no such program or working directory
 */
export function spawnCaptured(path: string, options: SpawnOptions): CapturedProcess {
  const marker = crypto.randomUUID();
  const argv = [path, ...options.args];
  const [program, ...args] = options.host?.command(argv, options.cwd) ?? argv;
  const child = new Deno.Command(program!, {
    args,
    cwd: options.cwd,
    env: { ...options.env, [MARKER]: marker },
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  living.set(child.pid, marker);
  const changed = new EventTarget();
  const noteChange = () => changed.dispatchEvent(new Event("change"));
  const out = collect(child.stdout, noteChange);
  const err = collect(child.stderr, noteChange);
  let ended: Exit | undefined;
  const exited = (async () => {
    const { code, signal } = await child.status;
    living.delete(child.pid);
    // A command that outlives codex can hold the pipes open; what codex wrote is read by then.
    await within(Promise.all([out.done, err.done]), 500);
    ended = { code, signal };
    noteChange();
    return ended;
  })();
  const output = () => `${err.text()}${out.text()}`;
  const kill = (signal: Deno.Signal = "SIGTERM") => {
    const { starts } = options;
    if (starts === undefined) return signalChild(signal);
    for (const pid of marked()) if (isRunning(pid, starts)) signalQuietly(pid, signal);
  };
  const signalChild = (signal: Deno.Signal) => {
    if (living.has(child.pid)) signalQuietly(child.pid, signal);
  };
  const marked = () => pidsMarked(marker);
  const descendants = () => marked().filter((pid) => pid !== child.pid);
  const dispose = async () => {
    signalChild("SIGKILL");
    await exited;
    for (const pid of descendants()) signalQuietly(pid, "SIGKILL");
    await Promise.all([out.cancel(), err.cancel()]);
    await options.cleanUp?.();
  };
  let disposed: Promise<void> | undefined;
  return {
    pid: child.pid,
    exited,
    stdout: out.text,
    stderr: err.text,
    output,
    descendants: () => Promise.resolve(descendants()),
    kill,
    waitForOutput(pattern, timeoutMs) {
      return new Promise((resolve, reject) => {
        const settle = (failure?: string) => {
          clearTimeout(timer);
          changed.removeEventListener("change", look);
          if (failure === undefined) resolve();
          else reject(new Error(`${path} did not print ${pattern}: ${failure}\n${tail(output())}`));
        };
        const look = () => {
          if (pattern.test(out.text()) || pattern.test(err.text())) settle();
          else if (ended) settle(`it ended with code ${ended.code}`);
        };
        const timer = setTimeout(() => settle(`not within ${timeoutMs} ms`), timeoutMs);
        changed.addEventListener("change", look);
        look();
      });
    },
    [Symbol.asyncDispose]: () => disposed ??= dispose(),
  };
}

/** The last part of a text, for the message of a failed test. */
export function tail(text: string, characters = 3000): string {
  return text.length <= characters ? text : `…${text.slice(-characters)}`;
}

/** Whether a promise settles within `ms` milliseconds; rejects when the promise does. */
export async function within(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => timer = setTimeout(() => resolve(false), ms));
  try {
    return await Promise.race([promise.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Sends a signal to a process that may be gone. */
function signalQuietly(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** A process that was started with a marker, and those that descend from it. */
function pidsMarked(marker: string): number[] {
  const assignment = `${MARKER}=${marker}`;
  if (Deno.build.os !== "linux") return [];
  const pids: number[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const environment = Deno.readTextFileSync(`/proc/${name}/environ`);
      if (environment.split("\0").includes(assignment)) pids.push(Number(name));
    } catch {
      // Processes end while we look, and others' environments are not ours to read.
    }
  }
  return pids;
}

function isRunning(pid: number, executable: string): boolean {
  try {
    return Deno.readLinkSync(`/proc/${pid}/exe`) === Deno.realPathSync(executable);
  } catch {
    // It has ended.
    return false;
  }
}

/** Reads a stream to its end as text, keeping the last part of it. */
function collect(stream: ReadableStream<Uint8Array>, noteChange: () => void) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  const done = (async () => {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      text = (text + decoder.decode(chunk.value, { stream: true })).slice(-KEPT_CHARACTERS);
      noteChange();
    }
  })().catch(() => {/* cancelled */});
  return { text: () => text, done, cancel: () => reader.cancel().catch(() => {}) };
}
