import assert from "node:assert/strict";
import { dialIn, greet, openBridge } from "../../support/exclusive.ts";
import type { GatewayClient } from "../../support/gateway.ts";
import { claim, dialInAsRelay, frame, openRelayBridge } from "../../support/relay.ts";
import type { Message, Peer } from "../../support/websocket.ts";

/** How long one way may take before the bridge counts as stuck, in milliseconds. */
const STUCK_MS = 5_000;

/** A bridge on which messages go there and back until it is stopped. */
export class Echoes implements AsyncDisposable {
  readonly #peers: readonly [harness: Peer, machine: Peer];
  readonly #going: Promise<void>;
  #stopped = false;
  /** How many have come back. */
  count = 0;
  /** The longest that one took there and back, in milliseconds. */
  slowestMs = 0;

  private constructor(harness: Peer, machine: Peer, message: (n: number) => Message) {
    this.#peers = [harness, machine];
    this.#going = this.#go(message);
    // It is told when it is stopped.
    this.#going.catch(() => {});
  }

  /** On a new exclusive executor. */
  static async exclusive(gateway: GatewayClient): Promise<Echoes> {
    const executor = await gateway.createExecutor();
    const machine = await dialIn(gateway, executor);
    const harness = await openBridge(gateway, executor.exe_id);
    await greet(harness, machine);
    return new Echoes(harness, machine, (n) => `message ${n}`);
  }

  /** On a new relay executor. */
  static async relay(gateway: GatewayClient): Promise<Echoes> {
    const executor = await gateway.createExecutor();
    const machine = await dialInAsRelay(gateway, executor);
    const harness = await openRelayBridge(gateway, executor.exe_id);
    await claim(harness, machine, "stream-1");
    const payload = (n: number) => new TextEncoder().encode(`message ${n}`);
    return new Echoes(harness, machine, (n) => frame("stream-1", "data", payload(n)));
  }

  /** Stops. Throws what went wrong, if anything did: a message that was lost, late or another. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#going;
    assert.ok(this.count > 0, "nothing was sent");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    for (const peer of this.#peers) await peer[Symbol.asyncDispose]();
  }

  async #go(message: (n: number) => Message): Promise<void> {
    const [harness, machine] = this.#peers;
    while (!this.#stopped) {
      const sent = message(this.count);
      const started = performance.now();
      harness.send(sent);
      const arrived = await machine.next(STUCK_MS);
      assert.deepEqual(arrived, sent);
      machine.send(arrived);
      assert.deepEqual(await harness.next(STUCK_MS), sent);
      this.slowestMs = Math.max(this.slowestMs, performance.now() - started);
      this.count++;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}
