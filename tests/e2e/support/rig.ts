/**
 * A gateway with a real executor connected to it, and the turns that are run on it.
 *
 * Executor and harness are on machines of their own (`tests/support/hosts`), the executor's behind a
 * translation of addresses; the gateway is in the test's process, and they know it as `gateway.test`.
 *
 * @module
 */
import { forEachDatabase, onOneDatabase } from "../../support/databases.ts";
import { untilConnected, untilGone } from "../../support/exclusive.ts";
import { type CreatedExecutor, startGateway, type TestGateway } from "../../support/gateway.ts";
import { type Hosts, makeHosts, whyNoHosts } from "../../support/hosts/hosts.ts";
import type { StoreOptions } from "../../../src/store/store.ts";
import { type CapturedProcess, startExecutor } from "./codex.ts";
import type { TurnOptions } from "./harness.ts";
import type { Pair } from "./releases.ts";

/** How long an executor may take to dial in on a machine that is busy, in milliseconds. */
const CONNECTED_WITHIN_MS = 60_000;

/** Every scenario on both databases, and not only those in which a database has a part. */
const full = Deno.args.includes("--full");

/** How an executor is started otherwise than by its line. */
interface StartOptions {
  /** Of the gateway's machine, where something else than the gateway is to be dialled. */
  readonly port?: number;
  /** Changes its line, or its join file. */
  readonly edit?: (line: string) => string;
}

/** What a scenario has at hand. */
export class Rig implements AsyncDisposable {
  readonly pair: Pair;
  readonly hosts: Hosts;
  readonly gateway: TestGateway;
  /** Where the executor was started. */
  readonly dir: string;
  readonly database: StoreOptions;
  executor!: CapturedProcess;
  readonly credentials: CreatedExecutor;

  constructor(
    pair: Pair,
    hosts: Hosts,
    gateway: TestGateway,
    database: StoreOptions,
    credentials: CreatedExecutor,
    dir: string,
  ) {
    this.pair = pair;
    this.hosts = hosts;
    this.gateway = gateway;
    this.database = database;
    this.credentials = credentials;
    this.dir = dir;
  }

  get exeId(): string {
    return this.credentials.exe_id;
  }

  /** Starts the executor, in place of the one before, and waits until the gateway has it. */
  async startExecutor({ port, edit }: StartOptions = {}): Promise<void> {
    if (this.executor !== undefined) {
      await this.executor[Symbol.asyncDispose]();
      await untilGone(this.gateway, this.exeId);
    }
    this.executor = await this.launchExecutor(port ?? this.gateway.port, { edit });
    const { exited, output } = this.executor;
    const ended = exited.then(({ code }) => {
      throw new Error(`the executor ended with ${code}: ${output()}`);
    });
    ended.catch(() => {});
    await Promise.race([ended, untilConnected(this.gateway, this.exeId, CONNECTED_WITHIN_MS)]);
  }

  /**
   * Starts another process of the executor, whatever becomes of it.
   *
   * @param credentials where they are not its own
   * @param edit changes its line, or its join file
   */
  async launchExecutor(
    port: number,
    { credentials = this.credentials, env = {}, edit }: {
      credentials?: CreatedExecutor;
      env?: Record<string, string>;
      edit?: (line: string) => string;
    } = {},
  ): Promise<CapturedProcess> {
    return await startExecutor({
      version: this.pair.executor,
      gatewayUrl: this.hosts.gateway.url(port),
      exeId: credentials.exe_id,
      registrationToken: credentials.registration_token,
      direct: credentials.direct,
      host: this.hosts.executor,
      dir: this.dir,
      edit,
      env: { CXG_TEST_MARK: "only the executor has this", ...env },
    });
  }

  /** What every turn on the executor is started with, its capability token its own. */
  async turn(): Promise<Omit<TurnOptions, "commands">> {
    return {
      version: this.pair.harness,
      hosts: this.hosts,
      gatewayUrl: this.hosts.gateway.url(this.gateway.port),
      exeId: this.exeId,
      capToken: await this.gateway.capToken(this.exeId),
      // Text, as this release spoke.
      ...this.pair.direct && { speaksAs: "0.130.0" },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.executor?.[Symbol.asyncDispose]();
  }
}

/**
 * Runs something with a pair's executor connected to a gateway on a database.
 *
 * @param executors how many machines there are for executors
 */
export async function withRig(
  pair: Pair,
  database: StoreOptions,
  run: (rig: Rig) => Promise<void>,
  { executors }: { executors?: number } = {},
): Promise<void> {
  await using hosts = await makeHosts({ executors });
  await using gateway = await startGateway(database, { host: "0.0.0.0" });
  const dir = await Deno.makeTempDir({ prefix: "cxg-executor-" });
  try {
    const credentials = await gateway.createExecutor("ws_test", { direct: pair.direct });
    await using rig = new Rig(pair, hosts, gateway, database, credentials, dir);
    await rig.startExecutor();
    await run(rig);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** How many scenarios of this file each pair has: those on one database take turns. */
const registered = new Map<Pair, number>();

/**
 * Registers a scenario for a pair of releases.
 *
 * @param databases `both` where a database has a part in it. Otherwise it runs on one of them: each pair
 * has scenarios on either, and each scenario pairs on either. With `--full` all run on both.
 */
export function scenario(
  pair: Pair,
  name: string,
  run: (rig: Rig) => Promise<void>,
  { databases = "one", executors }: { databases?: "one" | "both"; executors?: number } = {},
): void {
  const executor = `${pair.executor}${pair.direct ? " direct" : ""}`;
  const title = `executor ${executor}, harness ${pair.harness}: ${name}`;
  const test = (database: StoreOptions) => withRig(pair, database, run, { executors });
  const options = { ignore: whyNoHosts !== undefined };
  const nth = registered.get(pair) ?? registered.size;
  registered.set(pair, nth + 1);
  if (full || databases === "both") forEachDatabase(title, test, options);
  else onOneDatabase(title, nth, test, options);
}
