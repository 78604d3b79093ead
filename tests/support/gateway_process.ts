/**
 * The gateway as a process of its own, so that it can be killed, stopped and measured.
 *
 * @module
 */
import type { StoreOptions } from "../../src/store/store.ts";
import { noteLog, noteSecret, noteSecretsOf } from "./evidence.ts";
import { freePort } from "./free_port.ts";
import { GatewayClient, SECRETS } from "./gateway.ts";
import { Trust } from "./trust.ts";
import { settled, until } from "./websocket.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** How long a gateway may take to listen, in milliseconds. */
const START_TIMEOUT_MS = 90_000;

/** A gateway that runs with the permissions of `deno task start`. Disposing kills it. */
export class GatewayProcess extends GatewayClient implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #decoder = new TextDecoder();
  readonly #listening = Promise.withResolvers<void>();
  readonly #ca: string | undefined;
  #port = 0;
  #internalPort: number | undefined;
  /** Settled while its log is read. */
  #reading: PromiseWithResolvers<void> | undefined;
  /** Everything it has logged so far. */
  log = "";
  /** What it has written on standard output so far. */
  stdout = "";
  /** Resolves with its exit code when it has ended. */
  readonly exited: Promise<number>;

  private constructor(child: Deno.ChildProcess, ca: string | undefined) {
    super();
    this.#child = child;
    this.#ca = ca;
    // Nobody may wait for it.
    this.#listening.promise.catch(() => {});
    const read = Promise.all([this.#readStdout(), this.#readLog()]);
    this.exited = child.status.then(async ({ code }) => {
      await read;
      noteLog(this.log);
      this.#listening.reject(new Error(`the gateway ended with ${code}: ${this.log}`));
      return code;
    });
  }

  /** Starts one and waits until it listens; see {@linkcode launch}. */
  static async start(
    store: StoreOptions,
    variables: Readonly<Record<string, string>> = {},
    ca?: string,
    preload?: string,
    checkout?: string,
  ): Promise<GatewayProcess> {
    const gateway = GatewayProcess.launch(store, variables, ca, preload, checkout);
    if (!await settled(gateway.listening, START_TIMEOUT_MS)) gateway.kill("SIGKILL");
    await gateway.listening;
    return gateway;
  }

  /**
   * Starts one, and does not wait.
   *
   * @param store the database, which outlives it
   * @param variables its CXG_* variables; the port is a free one unless they say otherwise
   * @param ca of the certificate in `CXG_TLS_CERT`, PEM; that of `CXG_TLS=self-signed` is found
   * @param preload a module that runs before the gateway's
   * @param checkout the directory that it is run from; another one's for comparison
   */
  static launch(
    store: StoreOptions,
    variables: Readonly<Record<string, string>> = {},
    ca?: string,
    preload?: string,
    checkout = ROOT,
  ): GatewayProcess {
    for (const secret of Object.values(SECRETS)) noteSecret("configured", secret);
    noteSecretsOf(variables);
    const args = startArguments(
      checkout,
      variables.CXG_DATA_DIR || store.dataDir || "./data",
      variables,
    );
    if (preload !== undefined) args.splice(args.indexOf("run") + 1, 0, `--preload=${preload}`);
    // One that does not log where it listens is told where.
    const isQuiet = /^(warn|error)$/.test(variables.CXG_LOG_LEVEL ?? "");
    const port = isQuiet ? freePort() : 0;
    const child = new Deno.Command(Deno.execPath(), {
      args,
      cwd: checkout,
      env: {
        ...withoutGatewayVariables(Deno.env.toObject()),
        NO_COLOR: "1",
        CXG_PORT: String(port),
        CXG_CAPTOKEN_HMAC_SECRET: SECRETS.capToken,
        CXG_AGENTSERVER_INTERNAL_SECRET: SECRETS.internal,
        CXG_INTERNAL_SHARED_SECRET: SECRETS.shared,
        ...store.databaseUrl === undefined
          ? { CXG_DATA_DIR: store.dataDir }
          : { CXG_DATABASE_URL: store.databaseUrl },
        ...variables,
      },
      clearEnv: true,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const gateway = new GatewayProcess(child, ca);
    if (isQuiet) gateway.#askWhetherItListens(port);
    return gateway;
  }

  /** Resolves when it listens, and rejects when it ends without. */
  get listening(): Promise<void> {
    return this.#listening.promise;
  }

  /** Resolves when it has started so far that it waits for the one before it to let go of its database. */
  async inLine(): Promise<void> {
    const waits = () => this.log.includes("waiting for the gateway that uses the data directory");
    await until("it waits for its turn", waits, START_TIMEOUT_MS);
  }

  get port(): number {
    return this.#port;
  }

  /** Waits until it has logged something: its lines come after its answers, by another way. */
  async logs(pattern: RegExp): Promise<void> {
    await until(`it logs ${pattern}`, () => pattern.test(this.log));
  }

  override get internalUrl(): string {
    const port = this.#internalPort;
    return port === undefined ? this.url : this.url.replace(/:\d+$/, `:${port}`);
  }

  /** Of the process that serves, and no wrapper's. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Reads its log no more, as a log shipper does that has stalled. */
  stopReadingLog(): void {
    this.#reading ??= Promise.withResolvers();
  }

  /** Reads its log on. */
  readLogOn(): void {
    this.#reading?.resolve();
    this.#reading = undefined;
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Its resident memory now, in bytes (`VmRSS` of proc(5)). */
  async residentBytes(): Promise<number> {
    return await this.#statusBytes("VmRSS");
  }

  /** Begins anew with {@linkcode GatewayProcess.peakResidentBytes}. */
  async resetPeakResident(): Promise<void> {
    await Deno.writeTextFile(`/proc/${this.pid}/clear_refs`, "5");
  }

  /** The most resident memory it had since its start or the last reset, in bytes (`VmHWM` of proc(5)). */
  async peakResidentBytes(): Promise<number> {
    return await this.#statusBytes("VmHWM");
  }

  /** The CPU it has used so far, user and system, in seconds (proc(5), to a hundredth). */
  async cpuSeconds(): Promise<number> {
    const stat = await Deno.readTextFile(`/proc/${this.pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }

  /** How many file descriptors it has open. */
  async openFiles(): Promise<number> {
    return (await Array.fromAsync(Deno.readDir(`/proc/${this.pid}/fd`))).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.readLogOn();
    try {
      this.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      // It has ended by itself.
    }
    await this.exited;
    this.trust?.[Symbol.dispose]();
  }

  async #statusBytes(name: string): Promise<number> {
    const status = await Deno.readTextFile(`/proc/${this.pid}/status`);
    return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)![1]) * 1024;
  }

  async #readStdout(): Promise<void> {
    for await (const part of this.#child.stdout) this.stdout += new TextDecoder().decode(part);
  }

  async #readLog(): Promise<void> {
    for await (const part of this.#child.stderr) {
      this.log += this.#decoder.decode(part, { stream: true });
      if (this.#port === 0) await this.#lookWhetherItListens();
      await this.#reading?.promise;
    }
  }

  async #askWhetherItListens(port: number): Promise<void> {
    const isHere = () => fetch(`http://127.0.0.1:${port}/healthz`).then((r) => r.ok, () => false);
    try {
      await until("it listens", isHere, START_TIMEOUT_MS);
      this.#port = port;
      this.#listening.resolve();
    } catch (error) {
      this.#listening.reject(error);
    }
  }

  async #lookWhetherItListens(): Promise<void> {
    const line = /^.*"message":"listening".*(?=\n)/m.exec(this.log)?.[0];
    if (line === undefined) return;
    const { port, url, internal_port, ca_file } = JSON.parse(line);
    this.#port = port;
    this.#internalPort = internal_port;
    if (url.startsWith("https:")) {
      const ca = this.#ca ?? await Deno.readTextFile(ca_file);
      this.trust = new Trust([port, internal_port ?? port], ca);
    }
    this.#listening.resolve();
  }
}

/** The command of `deno task start` without the shell around it. */
function startArguments(
  checkout: string,
  dataDir: string,
  { CXG_TLS_CERT, CXG_TLS_KEY }: Readonly<Record<string, string>>,
): string[] {
  const paths: Readonly<Record<string, string | undefined>> = {
    CXG_DATA_DIR: dataDir,
    CXG_TLS_CERT,
    CXG_TLS_KEY,
  };
  const { tasks } = JSON.parse(Deno.readTextFileSync(`${checkout}/deno.json`));
  return (tasks.start as string)
    // The paths of the variables that it asks for.
    .replaceAll(
      /\$\(deno eval '([^']*)'\)/g,
      (_, script: string) =>
        [...script.matchAll(/CXG_[A-Z_]+/g)].flatMap(([name]) => paths[name] ?? []).join(),
    )
    .replaceAll('"', "")
    .split(" ")
    .slice(1);
}

function withoutGatewayVariables(variables: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).filter(([name]) => !/^(CXG_|PG)/.test(name)),
  );
}
