import assert from "node:assert/strict";
import { forEachDatabase } from "../support/databases.ts";
import { untilConnected } from "../support/exclusive.ts";
import { type CreatedExecutor, startGateway, type TestGateway } from "../support/gateway.ts";
import { type CapturedProcess, runTurn, startExecutor } from "./support/codex.ts";

const VERSION = "0.171.0";

/** How long an executor may take to dial in on a machine that is busy, in milliseconds. */
const CONNECTED_WITHIN_MS = 60_000;

/** What a scenario has at hand. */
interface Direct {
  readonly gateway: TestGateway;
  readonly executor: CreatedExecutor;
  readonly process: CapturedProcess;
  readonly dir: string;
}

scenario("three turns in a row all succeed", async ({ gateway, executor, dir }) => {
  for (const turn of [1, 2, 3]) {
    const { outputs, stderr } = await runTurn({
      ...await turnOn(gateway, executor),
      commands: [{ cmd: `printf "turn ${turn} %s\\n" "$CXG_TEST_MARK"; pwd`, workdir: dir }],
    });
    assert.deepEqual(outputs, [`turn ${turn} only the executor has this\n${dir}\n`], stderr);
    // It dials again after each, since it serves one session a websocket.
    await untilConnected(gateway, executor.exe_id, CONNECTED_WITHIN_MS);
  }
});

for (const harness of ["0.142.5", "0.169.0"]) {
  scenario(`a harness of ${harness} fits`, async ({ gateway, executor }) => {
    const { outputs, stderr } = await runTurn({
      ...await turnOn(gateway, executor, harness),
      commands: ["echo here"],
    });
    assert.deepEqual(outputs, ["here\n"], stderr);
  });
}

scenario(
  "when it is removed, its process ends and says why",
  async ({ gateway, executor, process }) => {
    const path = `/api/codex-exec/executors/${executor.exe_id}`;
    assert.equal((await gateway.call("DELETE", path)).status, 204);
    assert.notEqual((await process.exited).code, 0);
    assert.match(process.output(), /401 Unauthorized/);
  },
);

forEachDatabase("a direct executor outlives a restart of its gateway", async (database) => {
  await using first = await startGateway(database);
  const executor = await first.createExecutor("ws_test", { direct: true });
  await using running = await start(first, executor);
  await first.stop();
  await using again = await startGateway(database, { port: first.port });
  await untilConnected(again, executor.exe_id, CONNECTED_WITHIN_MS);
  const { outputs, stderr } = await runTurn({
    ...await turnOn(again, executor),
    commands: ["echo here"],
  });
  assert.deepEqual(outputs, ["here\n"], stderr);
  assert.equal(running.output().includes("Error"), false, running.output());
});

forEachDatabase("codex prints why a direct executor is refused", async (database) => {
  await using gateway = await startGateway(database);
  const executor = await gateway.createExecutor("ws_test", { direct: true });
  const direct = { ...executor.direct!, secret_access_key: "wrong" };
  await using refused = await launch(gateway, { ...executor, direct });
  assert.notEqual((await refused.exited).code, 0);
  assert.match(refused.output(), /401 Unauthorized.*its key pair did not make/);
  // As on a machine of AWS, whose shell has temporary credentials.
  await using temporary = await launch(gateway, executor, { AWS_SESSION_TOKEN: "AQoDYXdz" });
  assert.notEqual((await temporary.exited).code, 0);
  assert.match(temporary.output(), /unset AWS_SESSION_TOKEN/);
});

/** Registers a scenario with a direct executor that is connected, once for each database. */
function scenario(name: string, run: (direct: Direct) => Promise<void>): void {
  forEachDatabase(`direct executor ${VERSION}: ${name}`, async (database) => {
    await using gateway = await startGateway(database);
    const executor = await gateway.createExecutor("ws_test", { direct: true });
    await using process = await start(gateway, executor);
    await run({ gateway, executor, process, dir: process.dir });
  });
}

/** Starts the executor and waits until the gateway has it. */
async function start(gateway: TestGateway, executor: CreatedExecutor) {
  const process = await launch(gateway, executor);
  await Promise.race([
    untilConnected(gateway, executor.exe_id, CONNECTED_WITHIN_MS),
    process.exited.then(({ code }) => {
      throw new Error(`the executor ended with ${code}: ${process.output()}`);
    }),
  ]);
  return process;
}

async function launch(
  gateway: TestGateway,
  { exe_id, registration_token, direct }: CreatedExecutor,
  env: Record<string, string> = {},
): Promise<CapturedProcess & { dir: string }> {
  const dir = await Deno.makeTempDir({ prefix: "cxg-executor-" });
  const process = await startExecutor({
    version: VERSION,
    gatewayUrl: gateway.url,
    exeId: exe_id,
    registrationToken: registration_token,
    direct,
    dir,
    env: { CXG_TEST_MARK: "only the executor has this", ...env },
  });
  const dispose = process[Symbol.asyncDispose];
  return Object.assign(process, {
    dir,
    [Symbol.asyncDispose]: async () => {
      await dispose();
      await Deno.remove(dir, { recursive: true });
    },
  });
}

async function turnOn(gateway: TestGateway, { exe_id }: CreatedExecutor, version = VERSION) {
  return {
    version,
    gatewayUrl: gateway.url,
    exeId: exe_id,
    capToken: await gateway.capToken(exe_id),
    // Text, as this release spoke.
    speaksAs: "0.130.0",
  };
}
