import { Random } from "../fuzz/random.ts";
import type { GatewayProcess } from "../support/gateway_process.ts";
import type { Api } from "./api.ts";
import { Breaches } from "./breaches.ts";
import { Ledger } from "./books.ts";
import type { Executor } from "./executor.ts";
import { Pace } from "./pace.ts";

/** What bounds the gateway under load. */
export interface Limits {
  /** `CXG_MAX_BUFFERED` and `CXG_MAX_FRAME`, in bytes. */
  readonly maxBuffered: number;
  readonly maxFrame: number;
}

/** What all actors share. */
export class World {
  readonly seed: number;
  readonly breaches = new Breaches();
  readonly pace = new Pace();
  readonly tally = new Map<string, number>();
  /** How long each revoked bridge took to read of it, in milliseconds. */
  readonly revokedMs: number[] = [];
  /** The ports of those who vanished in their handshake. */
  readonly vanishedFrom = new Set<number>();
  /** Their connections that were found to be kept, as links in `/proc`. */
  readonly keptByRuntime = new Set<string>();
  /** Whether there is time for what takes half a minute. */
  hasTime = false;
  gateway: GatewayProcess;
  api: Api;
  ledger = new Ledger();
  #executors = new Map<string, Executor>();
  #list: readonly Executor[] = [];
  #actors = 0;
  #addresses = 0;

  constructor(seed: number, gateway: GatewayProcess, api: Api) {
    this.seed = seed;
    this.gateway = gateway;
    this.api = api;
  }

  /** The executors that come and go throughout. */
  get executors(): readonly Executor[] {
    return this.#list;
  }

  set executors(executors: readonly Executor[]) {
    this.#list = executors;
    this.#executors = new Map(executors.map((executor) => [executor.exeId, executor]));
  }

  /** The one of them with this id. */
  find(exeId: string): Executor | undefined {
    return this.#executors.get(exeId);
  }

  /** A generator of the run's seed, another for each actor. */
  random(actor: string): Random {
    return new Random(this.seed, actor, ++this.#actors);
  }

  /** An address that nobody has come from yet. */
  newAddress(): string {
    const number = ++this.#addresses;
    return `10.${number >> 16 & 255}.${number >> 8 & 255}.${number & 255}`;
  }

  /** The most executors and bridges that the gateway said it had at once. */
  readonly peak = { executors: 0, bridges: 0 };

  /** Notes how many are connected. */
  notePeak(samples: ReadonlyMap<string, number>): void {
    const executors = [...samples].filter(([name]) => name.startsWith("cxg_executors{"))
      .reduce((sum, [, count]) => sum + count, 0);
    this.peak.executors = Math.max(this.peak.executors, executors);
    this.peak.bridges = Math.max(this.peak.bridges, samples.get("cxg_bridges") ?? 0);
  }

  /** Counts what happened, for the summary. */
  count(what: string, by = 1): void {
    this.tally.set(what, (this.tally.get(what) ?? 0) + by);
  }
}

/** A time of load: actors begin nothing new once it is over. */
export class Phase {
  over = false;
}
