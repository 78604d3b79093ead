import assert from "node:assert/strict";
import { dialIn, greet, openBridge } from "../support/exclusive.ts";
import { switchboardTest } from "../support/gateway.ts";
import {
  claim,
  dialInAsNoise,
  dialInAsRelay,
  frame,
  openNoiseBridge,
  openRelayBridge,
  parseFrame,
} from "../support/relay.ts";

/** Long enough for a harness of the test to begin. */
const SOON = { beginWithinMs: 2_000 };
const NEVER_BEGUN = { code: 1013, reason: "nothing begun in 60 seconds" };

for (const kind of ["relay", "noise"] as const) {
  switchboardTest(
    `a bridge that claims no stream is ended, and one that does is not (${kind})`,
    async (gateway) => {
      const executor = await gateway.createExecutor();
      const { exe_id } = executor;
      const [dial, open] = kind === "relay"
        ? [dialInAsRelay, openRelayBridge]
        : [dialInAsNoise, openNoiseBridge];
      await using machine = await dial(gateway, executor);
      // The older: if it were ended too, it would be before the other.
      await using begun = await open(gateway, exe_id);
      await claim(begun, machine, "begun");
      await using silent = await open(gateway, exe_id);
      assert.deepEqual(await silent.closed, NEVER_BEGUN);
      machine.send(frame("begun", "data"));
      assert.equal(parseFrame(await begun.next()).streamId, "begun");
      const ends = await gateway.metric(
        `cxg_bridge_ends_total{kind="${kind}",by="gateway",reason="never_begun"}`,
      );
      assert.equal(ends, 1);
    },
    SOON,
  );
}

switchboardTest(
  "a silent bridge to an exclusive executor is ended, and the executor is free for the next",
  async (gateway) => {
    const executor = await gateway.createExecutor();
    await using machine = await dialIn(gateway, executor);
    {
      await using silent = await openBridge(gateway, executor.exe_id);
      assert.deepEqual(await silent.closed, NEVER_BEGUN);
    }
    await using harness = await openBridge(gateway, executor.exe_id);
    await greet(harness, machine);
  },
  SOON,
);

switchboardTest(
  "either side's first frame begins a bridge to an exclusive executor",
  async (gateway) => {
    const [one, two] = [await gateway.createExecutor(), await gateway.createExecutor()];
    await using machine = await dialIn(gateway, one);
    await using listening = await openBridge(gateway, one.exe_id);
    machine.send("hello");
    assert.equal(await listening.next(), "hello");
    await using _other = await dialIn(gateway, two);
    await using silent = await openBridge(gateway, two.exe_id);
    assert.deepEqual(await silent.closed, NEVER_BEGUN);
    machine.send("still there");
    assert.equal(await listening.next(), "still there");
  },
  SOON,
);
