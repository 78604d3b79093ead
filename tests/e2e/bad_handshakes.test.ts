import assert from "node:assert/strict";
import type { CapClaims } from "../../src/auth/capability_token.ts";
import { frame, openNoiseBridge, parseFrame, resetReason, withField1 } from "../support/relay.ts";
import { until } from "../support/websocket.ts";
import { runTurn } from "./support/codex.ts";
import { PAIRS } from "./support/releases.ts";
import { type Rig, scenario } from "./support/rig.ts";

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
      const passed = await failHandshakes(rig, 20, { turn_id: "turn_bad" });
      assert.equal(passed, 2);
      const { outputs, stderr } = await turn;
      assert.deepEqual(outputs, ["undisturbed\n"], stderr);
      const next = await runTurn({ ...await rig.turn(), commands: ["echo and the next"] });
      assert.deepEqual(next.outputs, ["and the next\n"], next.stderr);
    },
  );

  scenario(
    pair,
    "two workspaces' bad handshakes without end, and a third's turns all succeed",
    async (rig) => {
      let over = false;
      const attacks = ["ws_bad_1", "ws_bad_2"].map(async (workspace_id) => {
        let passed = 0;
        while (!over) passed += await failHandshakes(rig, 1, { workspace_id });
        return passed;
      });
      for (let n = 0; n < 3; n++) {
        const commands = [`sleep 3; echo turn ${n}`];
        const { outputs, stderr } = await runTurn({ ...await rig.turn(), commands });
        assert.deepEqual(outputs, [`turn ${n}\n`], stderr);
      }
      over = true;
      assert.deepEqual(await Promise.all(attacks), [3, 3], "of each, these reached the executor");
    },
  );
}

/**
 * Tries bad handshakes one after another, each on a bridge of its own.
 *
 * @returns how many the executor refused; the gateway refused the others
 */
async function failHandshakes(
  { gateway, exeId }: Rig,
  count: number,
  claims: Partial<CapClaims>,
): Promise<number> {
  let passed = 0;
  for (let i = 0; i < count; i++) {
    try {
      await using harness = await openNoiseBridge(gateway, exeId, claims);
      const streamId = crypto.randomUUID();
      harness.send(frame(streamId, "resume"));
      const garbage = withField1(crypto.getRandomValues(new Uint8Array(3600)));
      harness.send(frame(streamId, "handshake", garbage));
      const answer = parseFrame(await harness.next(20_000));
      if (!resetReason(answer).startsWith("too many failed handshakes")) passed++;
    } catch (error) {
      assert.match(String(error), /too many handshakes/);
    }
  }
  return passed;
}
