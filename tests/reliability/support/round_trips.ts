import { dialIn, openBridge } from "../../support/exclusive.ts";
import type { GatewayClient } from "../../support/gateway.ts";
import type { Peer } from "../../support/websocket.ts";

/** What is sent there and back: small enough for Deno's websocket client to send it at once. */
const MESSAGE = "x".repeat(64);

/** How long it waits between two round trips, in milliseconds. */
const PAUSE_MS = 1;

/** How long one may take before it counts as lost, in milliseconds. */
const LOST_MS = 60_000;

/** A bridge of its own, over which small messages go to an executor that echoes, one after the other. */
export class RoundTrips implements AsyncDisposable {
  readonly #machine: Peer;
  readonly #harness: Peer;

  private constructor(machine: Peer, harness: Peer) {
    this.#machine = machine;
    this.#harness = harness;
    this.#echo();
  }

  /** Opens the bridge and warms it up. */
  static async start(gateway: GatewayClient): Promise<RoundTrips> {
    const executor = await gateway.createExecutor();
    const machine = await dialIn(gateway, executor);
    const trips = new RoundTrips(machine, await openBridge(gateway, executor.exe_id));
    await trips.measure(500);
    return trips;
  }

  /**
   * Makes round trips for so long.
   *
   * @returns how long each took, in milliseconds
   */
  measure(forMs: number): Promise<number[]> {
    const end = performance.now() + forMs;
    return this.#measure(() => performance.now() < end);
  }

  /** Makes round trips until something is done, at least one. */
  measureWhile(work: Promise<unknown>): Promise<number[]> {
    let done = false;
    work.then(() => done = true, () => done = true);
    return this.#measure(() => !done);
  }

  async #measure(goesOn: () => boolean): Promise<number[]> {
    const tookMs = [];
    do {
      const started = performance.now();
      this.#harness.send(MESSAGE);
      await this.#harness.next(LOST_MS);
      tookMs.push(performance.now() - started);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    } while (goesOn());
    return tookMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#harness[Symbol.asyncDispose]();
    await this.#machine[Symbol.asyncDispose]();
  }

  async #echo(): Promise<void> {
    try {
      for (;;) this.#machine.send(await this.#machine.next(LOST_MS));
    } catch {
      // It was closed.
    }
  }
}
