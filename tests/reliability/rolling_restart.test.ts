/**
 * Issue 4, item 2: gateways that replace each other under real executors.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type CapturedProcess, startExecutor } from "../e2e/support/codex.ts";
import { forEachDatabase } from "../support/databases.ts";
import { untilConnected } from "../support/exclusive.ts";
import { report } from "./support/figures.ts";
import { full } from "./support/scale.ts";
import { Succession } from "./support/succession.ts";

const RELEASES = ["0.140.0", "0.169.0"];
const RESTARTS = full ? 20 : 2;
const BACK_WITHIN_MS = 5_000;

/**
 * 0.169 dials again after 0.5 to 1 s, and after twice as long each time, up to 30 s, until a connection
 * has lasted 120 s (measured; STABLE_CONNECTION_DURATION in codex's exec-server). Two restarts in a row
 * stay below 5 s without that.
 */
const STABLE_MS = full ? 121_000 : 0;

forEachDatabase(`${RESTARTS} rolling restarts under real executors`, async (store) => {
  await using gateways = await Succession.start(store);
  await using processes = new AsyncDisposableStack();
  const executors: { version: string; exeId: string; process: CapturedProcess }[] = [];
  for (const version of RELEASES) {
    const { exe_id, registration_token } = await gateways.current.createExecutor();
    const dir = await Deno.makeTempDir({ prefix: "cxg-executor-" });
    processes.defer(() => Deno.remove(dir, { recursive: true }));
    const process = processes.use(
      await startExecutor({
        version,
        gatewayUrl: gateways.current.url,
        exeId: exe_id,
        registrationToken: registration_token,
        dir,
      }),
    );
    await untilConnected(gateways.current, exe_id, 30_000);
    executors.push({ version, exeId: exe_id, process });
  }
  const ended = Promise.race(executors.map(async ({ version, process }) => {
    const { code } = await process.exited;
    throw new Error(`executor ${version} ended with ${code}: ${process.output()}`);
  }));
  ended.catch(() => {});

  const slowestMs = new Map(RELEASES.map((version) => [version, 0]));
  for (let restart = 1; restart <= RESTARTS; restart++) {
    await new Promise((resolve) => setTimeout(resolve, STABLE_MS));
    const stoppedAt = await gateways.replace("SIGTERM");
    await Promise.race([
      ended,
      Promise.all(executors.map(async ({ version, exeId }) => {
        await untilConnected(gateways.current, exeId, 30_000);
        const tookMs = performance.now() - stoppedAt;
        slowestMs.set(version, Math.max(slowestMs.get(version)!, tookMs));
      })),
    ]);
  }
  const database = store.databaseUrl === undefined ? "embedded" : "PostgreSQL";
  for (const [version, ms] of slowestMs) {
    await report(
      `rolling restarts, ${database}: executor ${version} connected again, slowest (limit 5 s)`,
      `${(ms / 1000).toFixed(1)} s in ${RESTARTS} restarts`,
    );
    assert.ok(ms <= BACK_WITHIN_MS, `${version} took ${ms} ms`);
  }
});
