/**
 * Executors that all register with their registration tokens at once when the gateway has restarted, and
 * what a bridge that runs beside them notices of it.
 *
 * @module
 */
import type { StoreOptions } from "../../src/store/store.ts";
import { first } from "../../tests/reliability/support/priority.ts";
import { GatewayProcess } from "../../tests/support/gateway_process.ts";
import { executorUrls, harnessEnds, seed } from "../fleet.ts";
import { type Figure, median } from "../figures.ts";
import { LoadGenerator } from "../relays/load_generator.ts";

/** The promises. */
const BACK_WITHIN_S = 15;
const TIMES_IDLE_P99 = 3;

/** Each round is a restart. */
const ROUNDS = 5;
const IDLE_MS = 2_000;

/** What is sent over the bridge: one message at a time. */
const MESSAGE = { bytes: 1024, text: false, inFlight: 1 };

/** Measures. */
export async function measureReturn(store: StoreOptions, quick: boolean): Promise<Figure[]> {
  const count = quick ? 200 : 1_000;
  const executors = await seed(store, "relay", count);
  const [bridged] = await seed(store, "exclusive", 1);
  await using returning = await LoadGenerator.start();
  await using running = await LoadGenerator.start();
  const rounds: { seconds: number; times: number; idle: number }[] = [];
  let busyMs = 1_000;
  // The first one only tells how long a round takes.
  for (let round = -1; round < (quick ? 1 : ROUNDS); round++) {
    await using gateway = await GatewayProcess.start(store, { CXG_LOG_LEVEL: "warn" });
    // The others' CPU is that of other machines, where it is no benchmark.
    await using _first = await first(gateway.pid, running.pid);
    await running.open("bridge", {
      executors: await executorUrls(gateway, "exclusive", [bridged!]),
      harnesses: await harnessEnds(gateway, "exclusive", [bridged!]),
    });
    const measure = (milliseconds: number) =>
      running.measure("bridge", gateway.pid, { ...MESSAGE, milliseconds });
    await measure(IDLE_MS / 2);
    const idle = await measure(IDLE_MS);
    const registrations = executors.map(({ exe_id, token }) => ({
      url: `${gateway.url}/cloud/environment/${exe_id}/register`,
      token,
      body: "",
    }));
    const arriving = returning.register("executors", registrations);
    const [arrivals, busy] = await Promise.all([arriving, measure(busyMs)]);
    // The next measurement falls into the time in which they arrive, and takes most of it.
    busyMs = Math.max(200, Math.round(arrivals.seconds * 900));
    if (round >= 0) {
      rounds.push({
        seconds: arrivals.seconds,
        times: busy.p99Micros / idle.p99Micros,
        idle: idle.p99Micros / 1000,
      });
    }
    await returning.close("executors");
    await running.close("bridge");
  }
  const many = `${count.toLocaleString("en")} executors return at once`;
  const middle = (pick: (round: typeof rounds[number]) => number) => median(rounds.map(pick));
  return [
    {
      what: `${many}: all are back`,
      value: middle((r) => r.seconds),
      unit: "s",
      limit: BACK_WITHIN_S,
    },
    {
      what: `${many}: p99 of a running bridge, over its idle p99 (${
        middle((r) => r.idle).toFixed(2)
      } ms)`,
      value: middle((r) => r.times),
      unit: "times",
      limit: TIMES_IDLE_P99,
    },
  ];
}
