import type { Ledger } from "./books.ts";
import { sleep } from "./signal.ts";
import type { World } from "./world.ts";

/** How long the log may lag behind, in milliseconds. */
const COMPLETE_MS = 10_000;

/** The warnings that belong to what the soak does. */
const EXPECTED_WARNINGS = new Set([
  "executor dialled in anew: its earlier connection is closed",
  // To an executor that asked late: the turn was revoked, or it has registered again, meanwhile.
  "harness key refused",
  // Of strangers, who try wrong registration tokens.
  "refused",
]);

/** Reads what the gateway logs, and forgets it: an hour of it would fill the memory. */
export class GatewayLog {
  readonly #world: World;
  readonly #timer: ReturnType<typeof setInterval>;
  #partial = "";
  /** How often each message was logged, since {@linkcode GatewayLog.reset}. */
  counts = new Map<string, number>();
  /** The frames that the connections of executors were said to have dropped, by reason. */
  dropped = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
    this.#timer = setInterval(() => this.read(), 50);
  }

  /** Reads what has been logged since the last time. */
  read(): void {
    const { gateway } = this.#world;
    const lines = (this.#partial + gateway.log).split("\n");
    gateway.log = "";
    this.#partial = lines.pop()!;
    for (const line of lines) this.#take(line);
  }

  /** How often a message was logged. */
  count(message: string): number {
    return this.counts.get(message) ?? 0;
  }

  /** Waits for the lines that must still come, when everybody has gone: the pipe may lag. */
  async untilComplete({ connections, joined }: Ledger): Promise<void> {
    const deadline = performance.now() + COMPLETE_MS;
    const complete = () =>
      this.count("executor disconnected") >= connections.length &&
      this.count("bridge ended") >= joined;
    do {
      await sleep(300);
      this.read();
    } while (!complete() && performance.now() < deadline);
  }

  /** Begins a new cycle. */
  reset(): void {
    this.read();
    this.counts = new Map();
    this.dropped = new Map();
  }

  /** The process has ended; another's log follows. */
  restart(): void {
    this.reset();
    this.#partial = "";
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #take(line: string): void {
    if (line === "") return;
    let record: {
      level: string;
      message: string;
      exe_id?: string;
      dropped_frames?: Record<string, number>;
    };
    try {
      record = JSON.parse(line);
    } catch {
      return this.#world.breaches.note(`the gateway wrote: ${line}`);
    }
    const { level, message, exe_id, dropped_frames } = record;
    if (message === "executor connected") this.#world.find(exe_id!)?.logConnected();
    if (message === "executor disconnected") this.#world.find(exe_id!)?.logDisconnected();
    this.counts.set(message, this.count(message) + 1);
    for (const [reason, count] of Object.entries(dropped_frames ?? {})) {
      this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + count);
    }
    const isFine = level === "INFO" || (level.startsWith("WARN") && EXPECTED_WARNINGS.has(message));
    if (!isFine) this.#world.breaches.note(`the gateway logged: ${line}`);
  }
}
