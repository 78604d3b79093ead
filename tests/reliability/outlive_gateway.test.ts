/**
 * Issue 4, item 2: a command over Noise outlives the gateway that it was started through.
 *
 * @module
 */
import assert from "node:assert/strict";
import { runTurn, startExecutor } from "../e2e/support/codex.ts";
import { forEachDatabase } from "../support/databases.ts";
import { untilConnected } from "../support/exclusive.ts";
import { exists } from "../support/files.ts";
import { until } from "../support/websocket.ts";
import { report } from "./support/figures.ts";
import { full } from "./support/scale.ts";
import { Succession } from "./support/succession.ts";

const VERSION = "0.169.0";
const TURNS_EACH = full ? 10 : 1;
const SECONDS = 10;
const WHOLE_OUTPUT = Array.from({ length: SECONDS }, (_, i) => `line ${i + 1}\n`).join("");

forEachDatabase("ten-second commands outlive their gateway, whole", async (store) => {
  await using gateways = await Succession.start(store);
  const embedded = store.databaseUrl === undefined;
  const database = embedded ? "embedded" : "PostgreSQL";
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    let whole = 0;
    const failures: string[] = [];
    for (let turn = 0; turn < TURNS_EACH; turn++) {
      const failure = await outlive(gateways, signal);
      if (failure === undefined) whole++;
      else failures.push(failure);
    }
    await report(
      `a 10 s command over Noise (${VERSION}) whose gateway is stopped by ${signal}, ${database}: ` +
        "turns that ended with their whole output",
      `${whole} of ${TURNS_EACH}`,
    );
    // Nobody listens between the death of the one and the start of the other where only one can have the
    // database, and a harness asks at once, and only once: how many get through is a figure, no promise.
    if (embedded && signal === "SIGKILL") continue;
    assert.deepEqual(failures, []);
  }
});

/** Runs one turn and replaces its gateway meanwhile; returns what went wrong, if anything did. */
async function outlive(
  gateways: Succession,
  signal: "SIGTERM" | "SIGKILL",
): Promise<string | undefined> {
  const gateway = gateways.current;
  const { exe_id, registration_token } = await gateway.createExecutor();
  const dir = await Deno.makeTempDir({ prefix: "cxg-executor-" });
  try {
    // One of its own for each turn: one whose last connection was short would dial again ever later.
    await using _executor = await startExecutor({
      version: VERSION,
      gatewayUrl: gateway.url,
      exeId: exe_id,
      registrationToken: registration_token,
      dir,
    });
    await untilConnected(gateway, exe_id, 30_000);
    const started = `${dir}/started`;
    const turn = runTurn({
      version: VERSION,
      gatewayUrl: gateway.url,
      exeId: exe_id,
      capToken: await gateway.capToken(exe_id),
      commands: [
        `touch ${started}; for i in $(seq ${SECONDS}); do sleep 1; echo line $i; done`,
      ],
      timeoutMs: 120_000,
    });
    turn.catch(() => {});
    await until("the command runs", () => exists(started), 60_000);
    await new Promise((resolve) =>
      setTimeout(resolve, SECONDS * 1000 * (0.2 + 0.4 * Math.random()))
    );
    await gateways.replace(signal);
    const { outputs, stderr } = await turn;
    if (outputs.length === 1 && outputs[0] === WHOLE_OUTPUT) return undefined;
    return `${JSON.stringify(outputs)}\n${stderr.slice(-2000)}`;
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
