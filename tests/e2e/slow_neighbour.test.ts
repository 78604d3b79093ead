/**
 * Eight harnesses on one executor, one of them on a link so slow that the others have to wait for it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { until } from "../support/websocket.ts";
import { runTurn, startTurn } from "./support/codex.ts";
import { PAIRS } from "./support/releases.ts";
import { scenario } from "./support/rig.ts";

/** Bits a second. */
const SLOW = 1_000_000;

const newest = PAIRS.find(({ executor, harness, direct }) =>
  executor === "0.171.0" && harness === "0.171.0" && !direct
)!;

scenario(
  newest,
  "one at 1 Mbit/s whose command prints without end lets seven others run theirs, or is ended",
  async (rig) => {
    const { gateway, hosts } = rig;
    // Another machine than the seven's, with a link of its own.
    const slowHost = hosts.executors[1]!;
    await slowHost.link.pace({ rate: SLOW });
    await using _slow = await startTurn({
      ...await rig.turn(),
      hosts: { ...hosts, harness: slowHost },
      // codex leaves the first running after some seconds, and the turn goes on.
      commands: ["yes 'a line that is printed again and again'", ...Array(60).fill("sleep 5")],
    });
    await until(
      "its executor is held for it",
      async () => await gateway.metric('cxg_held{side="executor"}') === 1,
      60_000,
    );
    const others = async () =>
      await Promise.all(Array.from({ length: 7 }, async (_, n) => {
        const turn = await runTurn({
          ...await rig.turn(),
          commands: [`echo harness ${n}`],
          timeoutMs: 180_000,
        });
        return { ...turn, isWhole: turn.outputs.join() === `harness ${n}\n` };
      }));
    const ended = async () => {
      const samples = await gateway.samples("cxg_bridge_ends_total");
      return samples.some((sample) => sample.includes('reason="holds_others"'));
    };
    // They run beside it, each of them and more than once, or it is ended for their sake; and then they do.
    for (let whole = 0, round = 0; whole < 3 && round < 20 && !await ended(); round++) {
      whole = (await others()).every(({ isWhole }) => isWhole) ? whole + 1 : 0;
    }
    for (const { isWhole, stderr } of await others()) assert.ok(isWhole, stderr);
  },
  { executors: 2 },
);
