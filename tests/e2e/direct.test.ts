import assert from "node:assert/strict";
import { runTurn } from "./support/codex.ts";
import { type Pair, PAIRS } from "./support/releases.ts";
import { scenario } from "./support/rig.ts";

/** What each pair does, the direct one too, is in `matrix.test.ts`: here is what it alone has. */
const DIRECT: Pair = PAIRS.find(({ direct }) => direct)!;

for (const harness of ["0.142.5", "0.169.0"]) {
  scenario({ ...DIRECT, harness }, "two turns in a row succeed", async (rig) => {
    for (const turn of [1, 2]) {
      const { outputs, stderr } = await runTurn({
        ...await rig.turn(),
        commands: [`echo turn ${turn}`],
      });
      assert.deepEqual(outputs, [`turn ${turn}\n`], stderr);
    }
  });
}

scenario(DIRECT, "when it is removed, its process ends", async ({ gateway, exeId, executor }) => {
  const removed = await gateway.call("DELETE", `/api/codex-exec/executors/${exeId}`);
  assert.equal(removed.status, 204);
  assert.notEqual((await executor.exited).code, 0);
  assert.match(executor.output(), /401 Unauthorized/);
});

scenario(DIRECT, "codex prints why its register call is refused", async (rig) => {
  const { gateway, credentials } = rig;
  const direct = { ...credentials.direct!, secret_access_key: "wrong" };
  {
    await using refused = await rig.launchExecutor(gateway.port, {
      credentials: { ...credentials, direct },
    });
    assert.notEqual((await refused.exited).code, 0);
    assert.match(refused.output(), /401 Unauthorized.*its key pair did not make/);
  }
  // As on a machine of AWS, whose shell has temporary credentials.
  await using temporary = await rig.launchExecutor(gateway.port, {
    env: { AWS_SESSION_TOKEN: "AQoDYXdz" },
  });
  assert.notEqual((await temporary.exited).code, 0);
  assert.match(temporary.output(), /unset AWS_SESSION_TOKEN/);
});
