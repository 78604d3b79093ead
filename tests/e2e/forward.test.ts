/**
 * `codex exec-server forward`, from 0.171 on: it registers another machine's exec-server, which listens,
 * as if it were its own.
 *
 * @module
 */
import assert from "node:assert/strict";
import { runTurn, spawnCaptured } from "./support/codex.ts";
import { codexBinary } from "./support/codex_cache.ts";
import { PAIRS } from "./support/releases.ts";
import { scenario } from "./support/rig.ts";

for (const pair of PAIRS.filter(({ executor, direct }) => executor === "0.171.0" && !direct)) {
  scenario(
    pair,
    "`forward` puts an exec-server that listens on a third machine in the executor's place",
    async (rig) => {
      const [, elsewhere] = rig.hosts.executors;
      const home = await Deno.makeTempDir({ prefix: "codex-listens-" });
      await using listens = spawnCaptured(await codexBinary(pair.executor), {
        args: ["exec-server", "--listen", `ws://${elsewhere!.address}:0`],
        cwd: home,
        host: elsewhere,
        env: {
          PATH: Deno.env.get("PATH")!,
          HOME: home,
          CODEX_HOME: home,
          CXG_TEST_MARK: "only the third machine has this",
        },
        cleanUp: () => Deno.remove(home, { recursive: true }),
      });
      const listening = /^ws:\/\/\S+:(\d+)$/m;
      await listens.waitForOutput(listening, 60_000);
      const port = Number(listening.exec(listens.output())![1]);
      const connect = elsewhere!.url(port, "ws");
      await rig.startExecutor({
        edit: (line) => {
          const forward = `exec-server forward --connect ${connect} --remote`;
          return line.replaceAll("exec-server --remote", forward);
        },
      });
      for (let turn = 0; turn < 2; turn++) {
        const { outputs, stderr } = await runTurn({
          ...await rig.turn(),
          commands: [{ cmd: 'uname -n; echo "$CXG_TEST_MARK"', workdir: "/" }],
        });
        assert.deepEqual(
          outputs,
          [`${elsewhere!.name}\nonly the third machine has this\n`],
          stderr,
        );
      }
    },
    { executors: 2 },
  );
}
