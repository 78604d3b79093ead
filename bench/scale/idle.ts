/**
 * What executors cost that are connected and do nothing, and what it takes to list them.
 *
 * @module
 */
import type { StoreOptions } from "../../src/store/store.ts";
import { GatewayProcess } from "../../tests/support/gateway_process.ts";
import { executorUrls, seed } from "../fleet.ts";
import { type Figure, median } from "../figures.ts";
import { LoadGenerator } from "../relays/load_generator.ts";

const WORKSPACE = "ws_bench";

/** The promises. */
const KB_EACH = 25;
const PERCENT_OF_A_CORE = 5;

/** How long memory is given to settle, and how long CPU is measured, in milliseconds: four pings each. */
const SETTLE_MS = 5_000;
const IDLE_MS = 60_000;

/** How often a listing is asked for. */
const LISTINGS = 20;

/** Measures. */
export async function measureIdle(store: StoreOptions, quick: boolean): Promise<Figure[]> {
  const count = quick ? 1_000 : 10_000;
  const executors = await seed(store, "relay", count, WORKSPACE);
  await using gateway = await GatewayProcess.start(store, { CXG_LOG_LEVEL: "warn" });
  await using load = await LoadGenerator.start();
  await sleep(SETTLE_MS);
  const before = await gateway.residentBytes();
  await load.open("idle", {
    executors: await executorUrls(gateway, "relay", executors),
    harnesses: [],
  });
  await sleep(SETTLE_MS);
  const kbEach = (await gateway.residentBytes() - before) / 1000 / count;
  const cpuBefore = await gateway.cpuSeconds();
  await sleep(quick ? IDLE_MS / 4 : IDLE_MS);
  const seconds = (quick ? IDLE_MS / 4 : IDLE_MS) / 1000;
  const percent = 100 * (await gateway.cpuSeconds() - cpuBefore) / seconds;
  const kbEachLater = (await gateway.residentBytes() - before) / 1000 / count;
  const many = `${count.toLocaleString("en")} idle executors`;
  return [
    { what: `${many}: resident memory of each`, value: kbEach, unit: "KB", limit: KB_EACH },
    { what: `${many}: the same a minute later`, value: kbEachLater, unit: "KB", limit: KB_EACH },
    {
      what: `${many}: CPU, pings included`,
      value: percent,
      unit: "% of a core",
      limit: PERCENT_OF_A_CORE,
    },
    {
      what: `GET /api/exec-gateway/connected, ${count.toLocaleString("en")} bound and connected`,
      value: await listingMs(
        gateway,
        `/api/exec-gateway/connected?workspace_id=${WORKSPACE}`,
        count,
      ),
      unit: "ms",
    },
    {
      what: `a workspace's listing, ${count.toLocaleString("en")} bound`,
      value: await listingMs(gateway, `/api/codex-exec/workspaces/${WORKSPACE}/executors`, count),
      unit: "ms",
    },
  ];
}

async function listingMs(gateway: GatewayProcess, path: string, count: number): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < LISTINGS; i++) {
    const started = performance.now();
    const response = await gateway.call("GET", path);
    const { length } = await response.json();
    times.push(performance.now() - started);
    if (length !== count) throw new Error(`${path}: ${response.status}, ${length} listed`);
  }
  return median(times);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
