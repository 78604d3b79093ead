/**
 * A join file on a machine that has only codex and Node, from a gateway with a CA of its own.
 *
 * @module
 */
import assert from "node:assert/strict";
import { hostsTest } from "../support/hosts/hosts.ts";
import { until } from "../support/websocket.ts";
import { ApartGateway } from "./support/apart.ts";
import { codexBinary } from "./support/codex_cache.ts";
import { runTurn } from "./support/codex.ts";
import { spawnCaptured } from "./support/process.ts";
import { lineFor } from "./support/release.ts";

/** By join, since it cannot dial wss://; by join, since it sends its token to loopback only; and by TLS. */
const VERSIONS = ["0.130.0", "0.140.0", "0.171.0"];

/** How long an executor may take to dial in on a machine that is busy, in milliseconds. */
const CONNECTED_WITHIN_MS = 60_000;

hostsTest(
  "a join file is all that an executor's machine needs",
  { gateway: "apart" },
  async (hosts, t) => {
    await using gateway = await ApartGateway.start(hosts, "https", {
      variables: { CXG_TLS: "self-signed" },
    });
    for (const version of VERSIONS) {
      await t.step(`codex ${version}`, async () => {
        const home = await Deno.makeTempDir({ prefix: "cxg-join-file-" });
        const workspace = `ws_${version}`;
        const words = ["executor", "add", "--name", "laptop", "--workspace", workspace];
        const file = `${home}/laptop.join`;
        await Deno.writeTextFile(file, await gateway.cli(...words, "--join-file", "-"));
        await Deno.mkdir(`${home}/tmp`);
        await using executor = spawnCaptured("sh", {
          args: [file],
          cwd: home,
          host: hosts.executor,
          env: {
            PATH: Deno.env.get("PATH") ?? "/usr/bin:/bin",
            HOME: home,
            CODEX_HOME: home,
            CODEX: await codexBinary(version),
            TMPDIR: `${home}/tmp`,
            CXG_TEST_MARK: hosts.executor.name,
          },
          cleanUp: () => Deno.remove(home, { recursive: true }),
        });
        let exeId = "";
        await until("the executor is connected", async () => {
          const list = ["executor", "list", "--workspace", workspace, "--json"];
          const [listed] = JSON.parse(await gateway.cli(...list));
          exeId = listed.exe_id;
          return listed.connected;
        }, CONNECTED_WITHIN_MS).catch((error) => {
          throw new Error(`${error.message}\n${executor.output()}`);
        });
        const mint = ["token", "mint", "--workspace", workspace, "--exe", exeId, "--json"];
        const { ca, harness: [{ lines }] } = JSON.parse(await gateway.cli(...mint));
        const { outputs, stderr } = await runTurn({
          version,
          hosts,
          line: `${ca.prepare}\n${lineFor(version, lines)}`,
          commands: [{ cmd: "echo on $CXG_TEST_MARK", workdir: "/" }],
        });
        assert.deepEqual(outputs, [`on ${hosts.executor.name}\n`], stderr);

        executor.kill("SIGTERM");
        assert.equal((await executor.exited).code, 143);
        const left = await Array.fromAsync(Deno.readDir(`${home}/tmp`), ({ name }) => name);
        assert.deepEqual(left.filter((name) => name.startsWith("tmp.")), [], "mktemp's");
        assert.deepEqual(await executor.descendants(), [], "neither codex nor join is left");
      });
    }
  },
);
