/**
 * Executors that join through `join`, on machines of their own.
 *
 * @module
 */
import assert from "node:assert/strict";
import { onOneDatabase } from "../support/databases.ts";
import { untilConnected } from "../support/exclusive.ts";
import { freePort } from "../support/free_port.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { makeHosts, whyNoHosts } from "../support/hosts/hosts.ts";
import { until } from "../support/websocket.ts";
import { runTurn, startExecutor } from "./support/codex.ts";

/** One that registers again after each disconnection, and one that dials its URL again. */
const VERSIONS = ["0.140.0", "0.171.0"];

/** How long an executor may take to come back, in milliseconds: it waits ever longer between its tries. */
const CONNECTED_WITHIN_MS = 90_000;

for (const [i, version] of VERSIONS.entries()) {
  onOneDatabase(
    `codex ${version} behind join outlives a gateway that is away`,
    i,
    async (store) => {
      await using hosts = await makeHosts();
      const port = freePort();
      const options = { host: "0.0.0.0", port };
      const first = await startGateway(store, options);
      const { exe_id, registration_token } = await first.createExecutor();
      const gatewayUrl = hosts.gateway.url(port);
      await using executor = await startExecutor({
        version,
        gatewayUrl,
        exeId: exe_id,
        registrationToken: registration_token,
        host: hosts.executor,
        dir: "/",
        env: { CXG_TEST_MARK: hosts.executor.name },
      });
      const turn = async (gateway: TestGateway) => {
        await untilConnected(gateway, exe_id, CONNECTED_WITHIN_MS).catch((error) => {
          throw new Error(`${error.message}\n${executor.output()}`);
        });
        const { outputs, stderr } = await runTurn({
          version,
          hosts,
          gatewayUrl,
          exeId: exe_id,
          capToken: await gateway.capToken(exe_id),
          commands: [{ cmd: "echo on $CXG_TEST_MARK", workdir: "/" }],
        });
        assert.deepEqual(outputs, [`on ${hosts.executor.name}\n`], stderr);
      };
      try {
        await turn(first);
      } finally {
        await first.stop();
      }
      await until(
        "codex has found nobody there",
        () => /^join: nothing listens/m.test(executor.output()),
        CONNECTED_WITHIN_MS,
      );
      await using second = await startGateway(store, options);
      await turn(second);
      assert.match(executor.output(), /^join: \S+ is reached again$/m);
    },
    { ignore: whyNoHosts !== undefined },
  );
}
