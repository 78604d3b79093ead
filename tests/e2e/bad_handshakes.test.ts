import assert from "node:assert/strict";
import { frame, openNoiseBridge, parseFrame, withField1 } from "../support/relay.ts";
import { until } from "../support/websocket.ts";
import { runTurn } from "./support/codex.ts";
import { PAIRS } from "./support/releases.ts";
import { scenario } from "./support/rig.ts";

for (const pair of PAIRS.filter(({ kind }) => kind === "noise")) {
  // At the eighth, 0.142.5 drops its connection and 0.169 refuses everybody for ten seconds.
  scenario(
    pair,
    "one turn's twenty bad handshakes do not disturb another's command",
    async (rig) => {
      const turn = runTurn({
        ...await rig.turn(),
        commands: [`echo begun > ${rig.dir}/begun.txt; sleep 3; echo undisturbed`],
      });
      await until("the command runs", async () => {
        const names = await Array.fromAsync(Deno.readDir(rig.dir));
        return names.some(({ name }) => name === "begun.txt");
      }, 20_000);
      const bad = { turn_id: "turn_bad" };
      let refused = 0;
      for (let i = 0; i < 20; i++) {
        try {
          await using harness = await openNoiseBridge(rig.gateway, rig.exeId, bad);
          const streamId = crypto.randomUUID();
          harness.send(frame(streamId, "resume"));
          const garbage = withField1(crypto.getRandomValues(new Uint8Array(3600)));
          harness.send(frame(streamId, "handshake", garbage));
          assert.equal(parseFrame(await harness.next()).body, "reset");
        } catch (error) {
          assert.match(String(error), /too many handshakes/);
          refused++;
        }
      }
      assert.equal(refused, 16, "four are let through");
      const { outputs, stderr } = await turn;
      assert.deepEqual(outputs, ["undisturbed\n"], stderr);
      const next = await runTurn({ ...await rig.turn(), commands: ["echo and the next"] });
      assert.deepEqual(next.outputs, ["and the next\n"], next.stderr);
    },
  );
}
