/**
 * Real executors and harnesses with nginx and HAProxy before the gateway, as `deploy/` has them.
 *
 * @module
 */
import assert from "node:assert/strict";
import { onAnyDatabase } from "../support/databases.ts";
import { untilConnected } from "../support/exclusive.ts";
import { startGateway } from "../support/gateway.ts";
import { HAPROXY } from "../reliability/support/haproxy.ts";
import { NGINX } from "../reliability/support/nginx.ts";
import { ProxyFront } from "../reliability/support/proxy_front.ts";
import { runTurn, startExecutor } from "./support/codex.ts";

/** How long an executor may take to dial in on a machine that is busy, in milliseconds. */
const CONNECTED_WITHIN_MS = 60_000;

/** One that sends all in the clear, one of Noise frames, and one that signs the Host and the path. */
const KINDS = [
  { version: "0.140.0", direct: false },
  { version: "0.171.0", direct: false },
  { version: "0.171.0", direct: true },
];

for (const proxy of [NGINX, HAPROXY]) {
  for (const { version, direct } of KINDS) {
    const name = `codex ${version}${direct ? " direct" : ""} runs a command through ${proxy.name}`;
    onAnyDatabase(name, async (store) => {
      await using gateway = await startGateway(store, { trustedProxies: ["127.0.0.1"] });
      await using front = await ProxyFront.start(proxy, gateway);
      const created = await gateway.createExecutor("ws_test", { direct });
      const dir = await Deno.makeTempDir({ prefix: "cxg-executor-" });
      try {
        await using _executor = await startExecutor({
          version,
          gatewayUrl: front.url,
          exeId: created.exe_id,
          registrationToken: created.registration_token,
          direct: created.direct,
          dir,
        });
        await untilConnected(gateway, created.exe_id, CONNECTED_WITHIN_MS);
        const { results, stderr } = await runTurn({
          version,
          gatewayUrl: front.url,
          exeId: created.exe_id,
          capToken: await gateway.capToken(created.exe_id),
          ...direct && { speaksAs: "0.130.0" },
          commands: [{ cmd: "echo through", workdir: dir }],
        });
        assert.equal(results[0]?.output, "through\n", stderr);
      } finally {
        await Deno.remove(dir, { recursive: true });
      }
    }, { ignore: !proxy.isThere });
  }
}
