import assert from "node:assert/strict";
import { untilConnected, untilGone } from "../support/exclusive.ts";
import { startGateway } from "../support/gateway.ts";
import { until } from "../support/websocket.ts";
import { runTurn, startTurn } from "./support/codex.ts";
import { startCountingProxy } from "./support/counting_proxy.ts";
import { PAIRS } from "./support/releases.ts";
import { scenario } from "./support/rig.ts";
import { exists } from "../support/files.ts";

for (const pair of PAIRS) {
  scenario(pair, "a command's exact output comes from where the executor runs", async (rig) => {
    const { outputs, exitCode, stderr } = await runTurn({
      ...await rig.turn(),
      commands: [
        { cmd: 'printf "%s\\n" "$CXG_TEST_MARK"; pwd; printf é漢😀', workdir: rig.dir },
        { cmd: "uname -n; echo written by the turn > proof.txt", workdir: rig.dir },
      ],
    });
    assert.equal(exitCode, 0, stderr);
    assert.equal(outputs[0], `only the executor has this\n${rig.dir}\né漢😀`);
    assert.equal(outputs[1], `${rig.hosts.executor.name}\n`);
    assert.equal(await Deno.readTextFile(`${rig.dir}/proof.txt`), "written by the turn\n");
  }, { databases: "both" });

  scenario(pair, "ten turns in a row all succeed", async (rig) => {
    for (let turn = 0; turn < 10; turn++) {
      const { outputs, stderr } = await runTurn({
        ...await rig.turn(),
        commands: [`echo turn ${turn}`],
      });
      assert.deepEqual(outputs, [`turn ${turn}\n`], stderr);
    }
  });

  scenario(pair, "eight harnesses at once each get only their own output", async (rig) => {
    const turns = await Promise.all(Array.from({ length: 8 }, async (_, i) => {
      const { outputs: [output] } = await runTurn({
        ...await rig.turn(),
        commands: [`for n in 1 2 3; do echo harness ${i} line $n; sleep 0.3; done`],
      });
      const own = [1, 2, 3].map((n) => `harness ${i} line ${n}\n`).join("");
      return { output, own };
    }));
    const served = turns.filter(({ output, own }) => output === own);
    if (pair.kind !== "exclusive") {
      assert.deepEqual(turns.map(({ output }) => output), turns.map(({ own }) => own));
      return;
    }
    // An exclusive executor serves one at a time: who comes meanwhile is told so.
    assert.ok(served.length >= 1, JSON.stringify(turns));
    for (const { output, own } of turns) {
      if (output !== own) {
        assert.match(
          output ?? "",
          /409 Conflict|503 Service Unavailable|No usable execution environment/,
        );
      }
    }
  });

  scenario(pair, "a command that prints 5 MB ends, and all of it passed", async (rig) => {
    // Codex shows its model the first and the last half megabyte; that all of it went over the
    // executor's websocket is counted on the way.
    await using proxy = startCountingProxy(rig.gateway.port);
    await rig.startExecutor({ port: proxy.port });
    const before = proxy.sent();
    const { results: [result], stderr } = await runTurn({
      ...await rig.turn(),
      commands: ["head -c 5000000 /dev/zero | tr '\\0' x; echo; echo the end"],
    });
    assert.equal(result?.exitCode, 0, stderr);
    const { output } = result;
    assert.ok(output.includes("x".repeat(100_000)), output.slice(0, 200));
    assert.ok(output.endsWith("x\nthe end\n"), output.slice(-200));
    const passed = proxy.sent() - before;
    assert.ok(passed >= 5_000_000, `only ${passed} bytes passed`);
    await rig.executor[Symbol.asyncDispose]();
  });

  scenario(pair, "outputs of 700 KB each arrive exactly", async (rig) => {
    const { outputs, stderr } = await runTurn({
      ...await rig.turn(),
      commands: ["a", "b", "c"].map((letter) => `head -c 700000 /dev/zero | tr '\\0' ${letter}`),
    });
    assert.deepEqual(outputs.map((output) => output.length), [700_000, 700_000, 700_000], stderr);
    outputs.forEach((output, i) => assert.ok(output === "abc"[i]!.repeat(700_000)));
  });

  scenario(
    pair,
    "an executor killed in the middle of a command comes back and serves",
    async (rig) => {
      {
        await using _turn = await startTurn({
          ...await rig.turn(),
          commands: [{ cmd: "echo begun > begun.txt; sleep 60", workdir: rig.dir }],
        });
        await until("the command runs", () => exists(`${rig.dir}/begun.txt`), 20_000);
        rig.executor.kill("SIGKILL");
        await rig.executor.exited;
        await untilGone(rig.gateway, rig.exeId);
      }
      await rig.startExecutor();
      const { outputs, stderr } = await runTurn({ ...await rig.turn(), commands: ["echo back"] });
      assert.deepEqual(outputs, ["back\n"], stderr);
    },
    { databases: "both" },
  );

  if (pair.outlivesGateway) {
    scenario(
      pair,
      "after the gateway was stopped and started, the executor is back",
      async (rig) => {
        const { port } = rig.gateway;
        await rig.gateway.stop();
        await using again = await startGateway(rig.database, { host: "0.0.0.0", port });
        await untilConnected(again, rig.exeId, 60_000);
        const { outputs, stderr } = await runTurn({ ...await rig.turn(), commands: ["echo here"] });
        assert.deepEqual(outputs, ["here\n"], stderr);
        await rig.executor[Symbol.asyncDispose]();
      },
      { databases: "both" },
    );
  }
}
