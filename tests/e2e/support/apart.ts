/**
 * A gateway on a machine of its own, started there as a person does, and its command line.
 *
 * @module
 */
import { dirname } from "node:path";
import { TempDir } from "../../support/process.ts";
import type { Hosts } from "../../support/hosts/hosts.ts";
import { type CapturedProcess, spawnCaptured } from "./process.ts";

const ROOT = new URL("../../../", import.meta.url).pathname;
const PORT = 6060;

/** How long a gateway may take to listen, and a command of its command line, in milliseconds. */
const TIMEOUT_MS = 90_000;

/** Disposing ends it, and removes its data directory. */
export class ApartGateway implements AsyncDisposable {
  /** What the other machines dial. */
  readonly url: string;
  readonly #hosts: Hosts;
  readonly #variables: Record<string, string>;
  readonly #ca: string | undefined;
  readonly #process: CapturedProcess;
  readonly #owned: AsyncDisposable;

  private constructor(
    hosts: Hosts,
    variables: Record<string, string>,
    ca: string | undefined,
    process: CapturedProcess,
    owned: AsyncDisposable,
    url: string,
  ) {
    this.#hosts = hosts;
    this.#variables = variables;
    this.#ca = ca;
    this.#process = process;
    this.#owned = owned;
    this.url = url;
  }

  /**
   * Starts one with `deno task start` on `hosts.gateway`, and waits until it listens.
   *
   * @param scheme of its URL
   * @param variables its CXG_* variables, besides where it listens and what it is called
   * @param ca the file of the authority that signed its certificate, where the command line is to be told
   */
  static async start(
    hosts: Hosts,
    scheme: "http" | "https",
    { variables = {}, ca }: { variables?: Record<string, string>; ca?: string } = {},
  ): Promise<ApartGateway> {
    await using owned = new AsyncDisposableStack();
    const data = owned.use(await TempDir.withDatabase());
    const url = hosts.gateway.url(PORT, scheme);
    const all = {
      ...variables,
      CXG_DATA_DIR: data.path,
      CXG_HOST: "0.0.0.0",
      CXG_PORT: String(PORT),
      CXG_PUBLIC_WS_BASE_URL: url.replace(/^http/, "ws"),
    };
    const process = owned.use(denoTask(hosts, ["start"], all));
    await process.waitForOutput(/"message":"listening"/, TIMEOUT_MS);
    return new ApartGateway(hosts, all, ca, process, owned.move(), url);
  }

  /** What it has written so far. */
  get output(): string {
    return this.#process.output();
  }

  /**
   * Runs `deno task cli` with these words, on the gateway's machine.
   *
   * @returns what it printed
   * @throws when it fails
   */
  async cli(...words: string[]): Promise<string> {
    const told = this.#ca === undefined ? [] : ["--ca", this.#ca];
    await using process = denoTask(this.#hosts, ["cli", ...words, ...told], this.#variables);
    const { code } = await process.exited;
    if (code !== 0) throw new Error(`cli ${words.join(" ")}: ${process.output()}`);
    return process.stdout();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned[Symbol.asyncDispose]();
  }
}

function denoTask(hosts: Hosts, words: string[], variables: Record<string, string>) {
  return spawnCaptured(Deno.execPath(), {
    args: ["task", "--quiet", ...words],
    cwd: ROOT,
    host: hosts.gateway,
    env: {
      PATH: `${dirname(Deno.execPath())}:${Deno.env.get("PATH")}`,
      HOME: Deno.env.get("HOME") ?? "/",
      NO_COLOR: "1",
      ...variables,
    },
  });
}
