import assert from "node:assert/strict";
import { CutProxy } from "../support/cut_proxy.ts";
import { exists } from "../support/files.ts";
import { until } from "../support/websocket.ts";
import { startTurn } from "./support/codex.ts";
import { PAIRS } from "./support/releases.ts";
import { scenario } from "./support/rig.ts";

/** How long the token lives, in seconds: the turn has to begin its command in that time. */
const TTL_S = 20;

/** Harnesses from 0.142 on come back by themselves: through `connect`, and text ones to `/bridge`. */
const RESUMING = PAIRS.filter(({ executor, harness, kind, direct }) =>
  executor === harness && (kind === "noise" || direct === true)
);

for (const pair of RESUMING) {
  scenario(
    pair,
    "a turn that is cut off after its token has expired gets back, and ends whole",
    async (rig) => {
      await using proxy = await CutProxy.before(
        { hostname: "127.0.0.1", port: rig.gateway.port },
        { host: "0.0.0.0" },
      );
      const exp = Math.floor(Date.now() / 1000) + TTL_S;
      await using turn = await startTurn({
        ...await rig.turn(),
        gatewayUrl: rig.hosts.gateway.url(proxy.port),
        capToken: await rig.gateway.capToken(rig.exeId, { exp }),
        commands: [{
          cmd: "echo begun | tee begun.txt; until [ -e go ]; do sleep 0.2; done; echo whole",
          workdir: rig.dir,
        }],
      });
      await until("the command runs", () => exists(`${rig.dir}/begun.txt`), TTL_S * 1000);
      await until("the token expires", () => Date.now() / 1000 > exp + 1, 2 * TTL_S * 1000);
      const before = proxy.accepted;
      proxy.drop();
      await until("the harness is back", async () => {
        return proxy.accepted > before && await rig.gateway.metric("cxg_bridges") === 1;
      }, 30_000);
      await Deno.writeTextFile(`${rig.dir}/go`, "");
      await turn.exited;
      const [result] = turn.results();
      assert.equal(result?.output, "begun\nwhole\n", turn.output());
    },
  );
}
