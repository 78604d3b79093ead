/**
 * What a join file starts ends with it; that each release joins by one is in `printed_*.test.ts`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { hostsTest } from "../support/hosts/hosts.ts";
import { until } from "../support/websocket.ts";
import { ApartGateway } from "./support/apart.ts";
import { codexBinary } from "./support/codex_cache.ts";
import { spawnCaptured } from "./support/process.ts";

/** One by join, and one by TLS. */
const VERSIONS = ["0.140.0", "0.171.0"];

/** How long an executor may take to dial in on a machine that is busy, in milliseconds. */
const CONNECTED_WITHIN_MS = 60_000;

hostsTest(
  "what a join file starts ends with it",
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
        await until("the executor is connected", async () => {
          const list = ["executor", "list", "--workspace", workspace, "--json"];
          const [listed] = JSON.parse(await gateway.cli(...list));
          return listed.connected;
        }, CONNECTED_WITHIN_MS).catch((error) => {
          throw new Error(`${error.message}\n${executor.output()}`);
        });
        executor.kill("SIGTERM");
        assert.equal((await executor.exited).code, 143);
        const left = await Array.fromAsync(Deno.readDir(`${home}/tmp`), ({ name }) => name);
        assert.deepEqual(left.filter((name) => name.startsWith("tmp.")), [], "mktemp's");
        assert.deepEqual(await executor.descendants(), [], "neither codex nor join is left");
      });
    }
  },
);
