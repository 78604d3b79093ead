import assert from "node:assert/strict";
import { dirname } from "node:path";
import { type Finished, Gateway, runCli, TempDir } from "../support/process.ts";
import { until } from "../support/websocket.ts";
import { type CapturedProcess, runTurn } from "./support/codex.ts";
import { codexBinary } from "./support/codex_cache.ts";
import { spawnCaptured } from "./support/process.ts";

const EXECUTOR = "0.171.0";
const HARNESSES = ["0.171.0", "0.169.0", "0.160.1"];

/** How long an executor may take to dial in on a machine that is busy, in milliseconds. */
const CONNECTED_WITHIN_MS = 60_000;

Deno.test("a turn runs a command on each of two executors, as the command line prints it", async (t) => {
  await using data = await TempDir.withDatabase();
  await using gateway = await Gateway.start(data.path);
  const cli = async (...words: string[]) => done(await runCli(data.path, words));
  const add = async (name: string) =>
    JSON.parse(
      await cli("executor", "add", "--direct", "--name", name, "--workspace", "ws", "--json"),
    );
  const machines = [await add("big box"), await add("Büro, unten")];
  await using first = await startByLine(machines[0].run[0].line, "the first");
  await using second = await startByLine(machines[1].run[0].line, "the second");
  const connected = async () => {
    const list = JSON.parse(await cli("executor", "list", "--workspace", "ws", "--json"));
    return list.every((executor: { connected: boolean }) => executor.connected);
  };
  const mint = [
    ...["token", "mint", "--workspace", "ws", "--environments"],
    ...machines.flatMap(({ exe_id }) => ["--exe", exe_id]),
  ];
  const turn = async (version: string) => ({
    version,
    gatewayUrl: gateway.url,
    exeId: machines[0].exe_id,
    capToken: "it stands in the file",
    environments: await cli(...mint),
  });
  for (const version of HARNESSES) {
    await t.step(`harness ${version}`, async () => {
      await until("both executors are connected", connected, CONNECTED_WITHIN_MS);
      const { results, stderr } = await runTurn({
        ...await turn(version),
        commands: [
          { cmd: "echo $CXG_TEST_MARK", workdir: first.dir },
          { cmd: "echo $CXG_TEST_MARK", workdir: second.dir, environmentId: "Buro-unten" },
          [
            { cmd: "echo at once, $CXG_TEST_MARK", workdir: first.dir, environmentId: "big-box" },
            {
              cmd: "echo at once, $CXG_TEST_MARK",
              workdir: second.dir,
              environmentId: "Buro-unten",
            },
          ],
        ],
      });
      assert.deepEqual(
        results.map(({ output }) => output),
        ["the first\n", "the second\n", "at once, the first\n", "at once, the second\n"],
        stderr,
      );
    });
  }

  await t.step("an executor that is away leaves the other one its commands", async () => {
    await until("both executors are connected", connected, CONNECTED_WITHIN_MS);
    await second[Symbol.asyncDispose]();
    const { outputs, stderr } = await runTurn({
      ...await turn(HARNESSES[0]!),
      commands: [
        { cmd: "echo $CXG_TEST_MARK", workdir: "/", environmentId: "Buro-unten" },
        { cmd: "echo $CXG_TEST_MARK", workdir: "/", environmentId: "big-box" },
      ],
      timeoutMs: 120_000,
    });
    assert.match(outputs[0]!, /No usable execution environment/);
    assert.equal(outputs[1], "the first\n", stderr);
  });
});

/** Starts an executor by the line that was printed, in a shell that has one codex to find. */
async function startByLine(
  line: string,
  mark: string,
): Promise<CapturedProcess & { dir: string }> {
  const dir = await Deno.makeTempDir({ prefix: "cxg-executor-" });
  const process = spawnCaptured("/bin/sh", {
    args: ["-c", line],
    cwd: dir,
    env: {
      PATH: `${dirname(await codexBinary(EXECUTOR))}:/usr/bin:/bin`,
      HOME: dir,
      CODEX_HOME: dir,
      CXG_TEST_MARK: mark,
    },
    cleanUp: () => Deno.remove(dir, { recursive: true }),
  });
  return Object.assign(process, { dir });
}

function done({ code, stdout, stderr }: Finished): string {
  assert.equal(code, 0, stderr);
  return stdout;
}
