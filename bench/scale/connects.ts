/**
 * Bridges that are opened as fast as they come.
 *
 * @module
 */
import type { StoreOptions } from "../../src/store/store.ts";
import { GatewayProcess } from "../../tests/support/gateway_process.ts";
import { executorUrls, harnessEnds, seed } from "../fleet.ts";
import { type Figure, median } from "../figures.ts";
import { LoadGenerator } from "../relays/load_generator.ts";

/** The promise. */
const CONNECTS_A_SECOND = 500;

const ROUNDS = 5;

/** How many harnesses dial at a time. */
const AT_ONCE = 16;

/** Measures. */
export async function measureConnects(store: StoreOptions, quick: boolean): Promise<Figure[]> {
  const count = quick ? 200 : 1_000;
  const executors = await seed(store, "relay", count);
  await using gateway = await GatewayProcess.start(store, { CXG_LOG_LEVEL: "warn" });
  await using load = await LoadGenerator.start();
  await load.open("executors", {
    executors: await executorUrls(gateway, "relay", executors),
    harnesses: [],
  });
  const rates: number[] = [];
  const p99s: number[] = [];
  for (let round = 0; round < (quick ? 1 : ROUNDS); round++) {
    const ends = await harnessEnds(gateway, "relay", executors);
    const { seconds, p99Seconds } = await load.connect("bridges", ends, AT_ONCE);
    rates.push(count / seconds);
    p99s.push(p99Seconds * 1000);
    await load.close("bridges");
  }
  const many = `${count.toLocaleString("en")} bridges, ${AT_ONCE} dialled at a time`;
  return [
    { what: `${many}: connects`, value: median(rates), unit: "a second", least: CONNECTS_A_SECOND },
    { what: `${many}: p99 of a connect`, value: median(p99s), unit: "ms" },
  ];
}
