const SCRIPT = new URL("peer.ts", import.meta.url).pathname;

/** How a {@linkcode PeerProcess} reaches the gateway. */
export interface Dial {
  readonly url: string;
  readonly token: string;
  /** What it sends first. */
  readonly first?: Uint8Array;
  /** The network namespace that it runs in; the test's own when absent. */
  readonly namespace?: string;
}

/** A peer in a process of its own. Disposing kills it. */
export class PeerProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
  }

  /** Starts one; it is connected when this resolves. */
  static async start({ url, token, first, namespace }: Dial): Promise<PeerProcess> {
    const command = [Deno.execPath(), "run", "-A", SCRIPT, url, token, first?.toBase64() ?? ""];
    // `ip netns exec` becomes the command, so that the process is the same.
    if (namespace !== undefined) command.unshift("ip", "netns", "exec", namespace);
    const [program, ...args] = command;
    const child = new Deno.Command(program!, { args, stdout: "piped", stderr: "inherit" }).spawn();
    const reader = child.stdout.getReader();
    const { done } = await reader.read();
    await reader.cancel();
    if (done) throw new Error("the peer could not connect");
    return new PeerProcess(child);
  }

  /** Stops the process, which keeps its connection. */
  freeze(): void {
    this.#child.kill("SIGSTOP");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }
}
