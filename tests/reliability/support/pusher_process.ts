import { settled } from "../../support/websocket.ts";
import type { Push, PushEvent } from "./pusher.ts";

const SCRIPT = new URL("pusher.ts", import.meta.url).pathname;

/** How long an event may take to come, in milliseconds. */
const TIMEOUT_MS = 60_000;

/** A {@linkcode Push} that runs, at a lower priority than what is measured. Disposing kills it. */
export class PusherProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #events: PushEvent[] = [];
  #wake = Promise.withResolvers<void>();

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#read();
  }

  /** Starts one; it is connected when this resolves, and sends nothing yet. */
  static async start(push: Push): Promise<PusherProcess> {
    const pusher = new PusherProcess(
      new Deno.Command("nice", {
        // Counted from the test's own; more than there is means the least there is.
        args: ["-n", "40", Deno.execPath(), "run", "-A", SCRIPT, JSON.stringify(push)],
        stdin: "piped",
        stdout: "piped",
        stderr: "inherit",
      }).spawn(),
    );
    await pusher.event("open");
    return pusher;
  }

  /** Lets it send. */
  async go(): Promise<void> {
    const writer = this.#child.stdin.getWriter();
    await writer.write(new Uint8Array([0x0a]));
    writer.releaseLock();
  }

  /** Waits for its first event of a kind; fails when that does not come. */
  async event<Kind extends PushEvent["event"]>(
    kind: Kind,
  ): Promise<Extract<PushEvent, { event: Kind }>> {
    const deadline = performance.now() + TIMEOUT_MS;
    for (;;) {
      const found = this.#events.find(({ event }) => event === kind);
      if (found !== undefined) return found as Extract<PushEvent, { event: Kind }>;
      const over = this.#events.some(({ event }) => event === "gone");
      if (over || performance.now() > deadline) {
        throw new Error(`no ${kind}: ${JSON.stringify(this.#events)}`);
      }
      await settled(this.#wake.promise, deadline - performance.now());
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      // It has ended by itself.
    }
    await this.#child.stdin.close().catch(() => {});
    await this.#child.status;
  }

  async #read(): Promise<void> {
    let text = "";
    const decoder = new TextDecoder();
    for await (const part of this.#child.stdout) {
      const lines = (text + decoder.decode(part, { stream: true })).split("\n");
      text = lines.pop()!;
      this.#events.push(...lines.map((line) => JSON.parse(line)));
      this.#notify();
    }
    this.#events.push({ event: "gone" });
    this.#notify();
  }

  #notify(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}
