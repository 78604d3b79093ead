/**
 * One gateway process takes over from another on the same port.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { StoreOptions } from "../../src/store/store.ts";
import { TestCertificates } from "../support/certificates.ts";
import { forEachDatabase } from "../support/databases.ts";
import { dialIn, greet, openBridge } from "../support/exclusive.ts";
import { freePort } from "../support/free_port.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { register } from "../support/relay.ts";
import { until } from "../support/websocket.ts";

forEachDatabase(
  "a gateway takes over on the same port: no register call is refused",
  (store) => takeOver(store),
);

forEachDatabase("so it does over TLS", async (store) => {
  await using certificates = await TestCertificates.create();
  await takeOver(store, certificates);
});

/** @param certificates for TLS */
async function takeOver(store: StoreOptions, certificates?: TestCertificates): Promise<void> {
  const variables = {
    CXG_PORT: String(freePort()),
    CXG_SHARE_PORT: "1",
    CXG_INTERNAL_PORT: String(freePort()),
    ...certificates?.variables,
  };
  await using old = await GatewayProcess.start(store, variables, certificates?.ca);
  const executor = await old.createExecutor();
  await using machine = await dialIn(old, executor);

  const embedded = store.databaseUrl === undefined;
  await using successor = GatewayProcess.launch(store, variables, certificates?.ca);
  // The embedded database lets the successor in only when the old one has begun to stop.
  await (embedded ? successor.inLine() : successor.listening);

  const calls = new SteadyCalls(() => register(old, executor));
  await calls.more(2);
  old.kill("SIGTERM");
  assert.equal((await machine.closed).code, 1012);
  assert.equal(await old.exited, 0);
  await successor.listening;
  await calls.more(2);
  const { cut } = await calls.stop();
  // One whose request the old gateway has not read when it stops to listen is cut by the runtime.
  assert.ok(cut <= 1, `${cut} calls were cut`);

  await using again = await dialIn(successor, executor);
  await using harness = await openBridge(successor, executor.exe_id);
  await greet(harness, again);
  assert.equal(successor.internalUrl, old.internalUrl);
  assert.deepEqual(await successor.connected(), [executor.exe_id]);
}

forEachDatabase("one that was killed is taken over from as well", async (store) => {
  const variables = { CXG_PORT: String(freePort()), CXG_SHARE_PORT: "1" };
  await using old = await GatewayProcess.start(store, variables);
  const executor = await old.createExecutor();
  await using successor = GatewayProcess.launch(store, variables);
  await (store.databaseUrl === undefined ? successor.inLine() : successor.listening);
  old.kill("SIGKILL");
  await old.exited;
  await successor.listening;
  await until("the successor answers", async () => {
    await using _machine = await dialIn(successor, executor);
    return true;
  });
});

/** How long to wait after each call, in milliseconds: real ones come at some distance. */
const PAUSE_MS = 20;

interface Outcome {
  answered: number;
  /** Those whose connection was cut, which was accepted before. */
  cut: number;
}

/** Makes a call again and again, one after the other, each on a connection of its own. */
class SteadyCalls {
  #stopping = false;
  readonly #outcome: Outcome = { answered: 0, cut: 0 };
  readonly #done: Promise<Outcome>;

  /** @param call fails when it is refused */
  constructor(call: () => Promise<unknown>) {
    this.#done = this.#run(call);
    // Heard by who stops it.
    this.#done.catch(() => {});
  }

  /** Waits until so many more were answered; fails when one is refused. */
  async more(calls: number): Promise<void> {
    const enough = this.#outcome.answered + calls;
    const answered = until("calls are answered", () => this.#outcome.answered >= enough, 60_000);
    await Promise.race([answered, this.#done]);
  }

  /** @throws what a call was refused with */
  stop(): Promise<Outcome> {
    this.#stopping = true;
    return this.#done;
  }

  async #run(call: () => Promise<unknown>): Promise<Outcome> {
    const outcome = this.#outcome;
    while (!this.#stopping) {
      try {
        await call();
        outcome.answered++;
      } catch (error) {
        if (!/reset by peer|closed before/.test(`${error} ${(error as Error).cause}`)) throw error;
        outcome.cut++;
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    return outcome;
  }
}
