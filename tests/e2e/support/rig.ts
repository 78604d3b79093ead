/**
 * A gateway with a real executor connected to it, and the turns that are run on it.
 *
 * @module
 */
import { forEachDatabase } from "../../support/databases.ts";
import { untilConnected, untilGone } from "../../support/exclusive.ts";
import { startGateway, type TestGateway } from "../../support/gateway.ts";
import type { StoreOptions } from "../../../src/store/store.ts";
import { type CapturedProcess, startExecutor } from "./codex.ts";
import type { TurnOptions } from "./harness.ts";
import type { Pair } from "./releases.ts";

/** How long an executor may take to dial in on a machine that is busy, in milliseconds. */
const CONNECTED_WITHIN_MS = 60_000;

/** What a scenario has at hand. */
export class Rig {
  readonly pair: Pair;
  readonly gateway: TestGateway;
  readonly exeId: string;
  /** Where the executor was started. */
  readonly dir: string;
  readonly database: StoreOptions;
  executor!: CapturedProcess;
  readonly #registrationToken: string;

  constructor(
    pair: Pair,
    gateway: TestGateway,
    database: StoreOptions,
    { exe_id, registration_token }: { exe_id: string; registration_token: string },
    dir: string,
  ) {
    this.pair = pair;
    this.gateway = gateway;
    this.database = database;
    this.exeId = exe_id;
    this.#registrationToken = registration_token;
    this.dir = dir;
  }

  /** Starts the executor, in place of the one before, and waits until the gateway has it. */
  async startExecutor(gatewayUrl = this.gateway.url): Promise<void> {
    if (this.executor !== undefined) {
      await this.executor[Symbol.asyncDispose]();
      await untilGone(this.gateway, this.exeId);
    }
    this.executor = await startExecutor({
      version: this.pair.executor,
      gatewayUrl,
      exeId: this.exeId,
      registrationToken: this.#registrationToken,
      dir: this.dir,
      env: { CXG_TEST_MARK: "only the executor has this" },
    });
    const { exited, output } = this.executor;
    const ended = exited.then(({ code }) => {
      throw new Error(`the executor ended with ${code}: ${output()}`);
    });
    ended.catch(() => {});
    await Promise.race([ended, untilConnected(this.gateway, this.exeId, CONNECTED_WITHIN_MS)]);
  }

  /** What every turn on the executor is started with, its capability token its own. */
  async turn(): Promise<Omit<TurnOptions, "commands">> {
    return {
      version: this.pair.harness,
      gatewayUrl: this.gateway.url,
      exeId: this.exeId,
      capToken: await this.gateway.capToken(this.exeId),
    };
  }
}

/** Registers a scenario for a pair of releases, once for each database. */
export function scenario(pair: Pair, name: string, run: (rig: Rig) => Promise<void>): void {
  const title = `executor ${pair.executor}, harness ${pair.harness}: ${name}`;
  forEachDatabase(title, async (database) => {
    await using gateway = await startGateway(database);
    const dir = await Deno.makeTempDir({ prefix: "cxg-executor-" });
    const rig = new Rig(pair, gateway, database, await gateway.createExecutor(), dir);
    try {
      await rig.startExecutor();
      await run(rig);
    } finally {
      await rig.executor?.[Symbol.asyncDispose]();
      await Deno.remove(dir, { recursive: true });
    }
  });
}
