import type { Host } from "../../support/hosts/host.ts";

const SCRIPT = new URL("peer.ts", import.meta.url).pathname;

/** How a {@linkcode PeerProcess} reaches the gateway. */
export interface Dial {
  readonly url: string;
  readonly token: string;
  /** What it sends first. */
  readonly first?: Uint8Array;
  /** The machine that it runs on; the test's own when absent. */
  readonly host?: Host;
}

/** A peer in a process of its own. Disposing kills it. */
export class PeerProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
  }

  /** Starts one; it is connected when this resolves. */
  static async start({ url, token, first, host }: Dial): Promise<PeerProcess> {
    const argv = [Deno.execPath(), "run", "-A", SCRIPT, url, token, first?.toBase64() ?? ""];
    const [program, ...args] = host?.command(argv, Deno.cwd()) ?? argv;
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
