import assert from "node:assert/strict";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { forEachDatabase } from "../support/databases.ts";
import { untilConnected, untilGone } from "../support/exclusive.ts";
import { until } from "../support/websocket.ts";
import { startCountingProxy } from "./support/counting_proxy.ts";
import { type CapturedProcess, runTurn, startExecutor, startTurn } from "./support/codex.ts";

/** The releases that are tried together. */
const PAIRS = [
  { executor: "0.130.0", harness: "0.130.0" },
];

/** A gateway with a real executor connected to it. */
interface Rig {
  gateway: TestGateway;
  exeId: string;
  registrationToken: string;
  executor: CapturedProcess;
  /** Where the executor was started. */
  dir: string;
}

for (const pair of PAIRS) {
  const title = `executor ${pair.executor}, harness ${pair.harness}`;
  const turnOn = async ({ gateway, exeId }: Rig) => ({
    version: pair.harness,
    gatewayUrl: gateway.url,
    exeId,
    capToken: await gateway.capToken(exeId),
  });
  const start = (rig: Omit<Rig, "executor">, gatewayUrl = rig.gateway.url) =>
    startExecutor({
      version: pair.executor,
      gatewayUrl,
      exeId: rig.exeId,
      registrationToken: rig.registrationToken,
      dir: rig.dir,
      env: { CXG_TEST_MARK: "only the executor has this" },
    });

  const scenario = (name: string, run: (rig: Rig) => Promise<void>) =>
    forEachDatabase(`${title}: ${name}`, async (database) => {
      await using gateway = await startGateway(database);
      const { exe_id: exeId, registration_token } = await gateway.createExecutor();
      const dir = await Deno.makeTempDir({ prefix: "cxg-executor-" });
      try {
        const rig = { gateway, exeId, registrationToken: registration_token, dir };
        await using executor = await start(rig);
        await untilConnected(gateway, exeId);
        await run({ ...rig, executor });
      } finally {
        await Deno.remove(dir, { recursive: true });
      }
    });

  scenario("a command's exact output comes from where the executor runs", async (rig) => {
    const { outputs, exitCode, stderr } = await runTurn({
      ...await turnOn(rig),
      commands: [
        { cmd: 'printf "%s\\n" "$CXG_TEST_MARK"; pwd; printf é漢😀', workdir: rig.dir },
        { cmd: "echo written by the turn > proof.txt", workdir: rig.dir },
      ],
    });
    assert.equal(exitCode, 0, stderr);
    assert.equal(outputs[0], `only the executor has this\n${rig.dir}\né漢😀`);
    assert.equal(await Deno.readTextFile(`${rig.dir}/proof.txt`), "written by the turn\n");
  });

  scenario("ten turns in a row all succeed", async (rig) => {
    for (let turn = 0; turn < 10; turn++) {
      const { outputs, exitCode, stderr } = await runTurn({
        ...await turnOn(rig),
        commands: [`echo turn ${turn}`],
      });
      assert.equal(exitCode, 0, stderr);
      assert.deepEqual(outputs, [`turn ${turn}\n`]);
    }
  });

  scenario("a command that prints 5 MB ends, and all of it passed", async (rig) => {
    // Codex shows its model the first and the last half megabyte; that all of it went over the
    // executor's websocket is counted on the way.
    await using proxy = startCountingProxy(rig.gateway.port);
    rig.executor.kill("SIGKILL");
    await rig.executor.exited;
    await untilGone(rig.gateway, rig.exeId);
    await using _executor = await start(rig, proxy.url);
    await untilConnected(rig.gateway, rig.exeId);
    const before = proxy.sent();
    const { results: [result], exitCode, stderr } = await runTurn({
      ...await turnOn(rig),
      commands: ["head -c 5000000 /dev/zero | tr '\\0' x; echo; echo the end"],
    });
    assert.equal(exitCode, 0, stderr);
    assert.equal(result!.exitCode, 0);
    const { output } = result!;
    assert.ok(output.includes("x".repeat(100_000)), output.slice(0, 200));
    assert.ok(output.endsWith("x\nthe end\n"), output.slice(-200));
    const passed = proxy.sent() - before;
    assert.ok(passed >= 5_000_000, `only ${passed} bytes passed`);
  });

  scenario("outputs of 700 KB each arrive exactly", async (rig) => {
    const { outputs, exitCode, stderr } = await runTurn({
      ...await turnOn(rig),
      commands: ["a", "b", "c"].map((letter) => `head -c 700000 /dev/zero | tr '\\0' ${letter}`),
    });
    assert.equal(exitCode, 0, stderr);
    assert.deepEqual(outputs.map((output) => output.length), [700_000, 700_000, 700_000]);
    outputs.forEach((output, i) => assert.equal(output, "abc"[i]!.repeat(700_000)));
  });

  scenario("an executor killed in the middle of a command comes back and serves", async (rig) => {
    const { gateway, exeId, dir } = rig;
    {
      await using _turn = await startTurn({
        ...await turnOn(rig),
        commands: [{ cmd: "echo begun > begun.txt; sleep 60", workdir: dir }],
      });
      await until("the command runs", () => exists(`${dir}/begun.txt`), 20_000);
      rig.executor.kill("SIGKILL");
      await rig.executor.exited;
      await untilGone(gateway, exeId);
    }
    await using _back = await start(rig);
    await untilConnected(gateway, exeId);
    const { outputs, exitCode, stderr } = await runTurn({
      ...await turnOn(rig),
      commands: ["echo back again"],
    });
    assert.equal(exitCode, 0, stderr);
    assert.deepEqual(outputs, ["back again\n"]);
  });
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}
