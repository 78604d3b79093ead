import assert from "node:assert/strict";
import { delayTo } from "../support/hosts/hosts.ts";
import { runTurn } from "./support/codex.ts";
import { PAIRS } from "./support/releases.ts";
import { scenario } from "./support/rig.ts";

for (const pair of PAIRS) {
  // A first call costs about sixteen ways there and back before its command runs.
  scenario(pair, "with 50 ms each way a command runs as it does next door", async (rig) => {
    await using _delay = await delayTo(rig.hosts, rig.gateway.port, 50);
    await rig.startExecutor();
    const { outputs, stderr } = await runTurn({
      ...await rig.turn(),
      commands: ["for n in 1 2 3; do echo line $n; sleep 0.1; done", "uname -n"],
    });
    assert.deepEqual(outputs, ["line 1\nline 2\nline 3\n", "executor.test\n"], stderr);
  });
}
