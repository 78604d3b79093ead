import assert from "node:assert/strict";
import { exists } from "../../support/files.ts";
import { until } from "../../support/websocket.ts";
import { startTurn } from "./codex.ts";
import { type Pair, PAIRS } from "./releases.ts";
import { scenario } from "./rig.ts";

/**
 * The scenario that takes longest, over a minute of waiting for a Noise executor. It is in several files,
 * which run beside the others.
 *
 * @param which the pairs of this file
 */
export function killedHarnessScenarios(which: (pair: Pair) => boolean): void {
  PAIRS.filter(which).forEach(killedHarnessScenario);
}

function killedHarnessScenario(pair: Pair): void {
  scenario(
    pair,
    "the command of a harness killed with SIGKILL ends on the executor",
    async (rig) => {
      {
        await using turn = await startTurn({
          ...await rig.turn(),
          commands: [{ cmd: "echo $$ > pid.txt; exec sleep 600", workdir: rig.dir }],
        });
        await until("the command runs", () => exists(`${rig.dir}/pid.txt`), 20_000);
        turn.kill("SIGKILL");
        await turn.exited;
      }
      const pid = (await Deno.readTextFile(`${rig.dir}/pid.txt`)).trim();
      assert.ok(await exists(`/proc/${pid}`), "it outlives its harness for a while");
      const died = performance.now();
      await until("the command ends", async () => !await exists(`/proc/${pid}`), pair.orphanMs);
      const seconds = ((performance.now() - died) / 1000).toFixed(1);
      // deno-lint-ignore no-console
      console.log(`${pair.executor}: the command ended ${seconds} s after its harness was killed`);
    },
  );
}
