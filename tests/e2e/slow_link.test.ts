/**
 * A command that prints more than a link carries for a while: the executor is held back, and nothing is lost.
 *
 * @module
 */
import assert from "node:assert/strict";
import { report } from "../reliability/support/figures.ts";
import { full } from "../reliability/support/scale.ts";
import { delayTo } from "../support/hosts/hosts.ts";
import { runTurn } from "./support/codex.ts";
import { PAIRS } from "./support/releases.ts";
import { type Rig, scenario } from "./support/rig.ts";

const MB = 1_000_000;

/** What a link carries, in bits a second, and how much the command prints, in MB; in CI it must not take long. */
const [RATE, PRINTS] = full ? [20_000_000, 100] : [40_000_000, 40];

/** How long a link takes each way, in milliseconds. */
const DELAY_MS = 100;

/** What may wait in the gateway for one peer, and the frames that came on top, in bytes. */
const WAITING_AT_MOST = 4 * 1024 * 1024;

const TRIED = PAIRS.filter(({ executor, harness, direct }) =>
  executor === harness && !direct || executor === "0.142.5" && harness === "0.169.0"
);

for (const pair of TRIED) {
  scenario(
    pair,
    "a command that prints much to a harness over a slow link loses nothing and ends",
    async (rig) => {
      await rig.hosts.harness.link.pace({ rate: RATE });
      await printMuch(rig, "a slow harness");
    },
  );

  scenario(pair, "the same with the executor behind the slow link", async (rig) => {
    await rig.hosts.executor.link.pace({ rate: RATE });
    await printMuch(rig, "a slow executor");
  });

  // A 0.142.5 executor forgets a command that has ended before a 0.169 harness so far away has asked for the
  // rest of what it printed ("unknown process id").
  if (pair.executor !== pair.harness || !full && pair.harness !== "0.171.0") continue;
  scenario(pair, "the same with 200 ms there and back for both", async (rig) => {
    await rig.hosts.harness.link.pace({ rate: RATE });
    await using _delay = await delayTo(rig.hosts, rig.gateway.port, DELAY_MS);
    await rig.startExecutor();
    await printMuch(rig, "a slow harness, 200 ms");
  });
}

async function printMuch(rig: Rig, how: string): Promise<void> {
  let most = 0;
  const look = setInterval(async () => {
    most = Math.max(most, await rig.gateway.metric("cxg_buffered_bytes"));
  }, 50);
  try {
    const { results: [result], stderr } = await runTurn({
      ...await rig.turn(),
      commands: [`head -c ${PRINTS * MB} /dev/zero | tr '\\0' x; echo; echo the end`],
      timeoutMs: 30_000 + PRINTS * 8 * MB / RATE * 1000 * 5,
    });
    assert.equal(result?.exitCode, 0, stderr);
    assert.ok(result.output.endsWith("x\nthe end\n"), result.output.slice(-200));
    const passed = await rig.gateway.metric('cxg_frame_bytes_total{to="harness"}');
    assert.ok(passed >= PRINTS * MB, `only ${passed} bytes passed`);
    assert.ok(most <= WAITING_AT_MOST, `${most} bytes waited`);
    const { executor, harness } = rig.pair;
    await report(
      `${PRINTS} MB printed over ${RATE / 1e6} Mbit/s, ${executor} and ${harness}, ${how}`,
      `whole; ${(most / 2 ** 20).toFixed(1)} MiB waited at most`,
    );
  } finally {
    clearInterval(look);
  }
}
