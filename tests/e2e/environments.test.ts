import assert from "node:assert/strict";
import { type Host, hostsTest } from "../support/hosts/hosts.ts";
import { type Finished, Gateway, runCli, TempDir, type Variables } from "../support/process.ts";
import { until } from "../support/websocket.ts";
import { type CapturedProcess, runTurn, startExecutorByLine } from "./support/codex.ts";
import { startForward } from "./support/forward.ts";

const EXECUTOR = "0.171.0";
const HARNESSES = ["0.171.0", "0.169.0", "0.160.1"];

/** How long an executor may take to dial in on a machine that is busy, in milliseconds. */
const CONNECTED_WITHIN_MS = 60_000;

hostsTest(
  "a turn runs commands on two executors, each on a machine of its own, as the command line prints it",
  { executors: 2 },
  async (hosts, t) => {
    await using data = await TempDir.withDatabase();
    await using gateway = await Gateway.start(data.path, { CXG_HOST: "0.0.0.0" });
    const port = Number(new URL(gateway.url).port);
    const cli = async (words: string[], variables: Variables = {}) =>
      done(await runCli(data.path, words, variables));
    const add = async (name: string) =>
      JSON.parse(
        await cli(["executor", "add", "--direct", "--name", name, "--workspace", "ws", "--json"]),
      );
    const [onFirst, onSecond] = hosts.executors as [Host, Host];
    // The lines are for the gateway's own loopback, and so they are for that of a machine with `ssh -L`.
    await using _one = await startForward(onFirst, hosts.gateway, port, port);
    await using _two = await startForward(onSecond, hosts.gateway, port, port);
    const added = [await add("big box"), await add("Büro, unten")];
    await using first = await startByLine(added[0].run[0].line, onFirst);
    await using second = await startByLine(added[1].run[0].line, onSecond);

    const connected = async () => {
      const list = JSON.parse(await cli(["executor", "list", "--workspace", "ws", "--json"]));
      return list.every((executor: { connected: boolean }) => executor.connected);
    };
    const words = ["token", "mint", "--workspace", "ws", "--environments"];
    for (const { exe_id } of added) words.push("--exe", exe_id);
    const turn = async (version: string) => ({
      version,
      hosts,
      // Of what would point it at one executor nothing is used.
      ...{ gatewayUrl: "", exeId: "", capToken: "" },
      environments: await cli(words, {
        CXG_PUBLIC_WS_BASE_URL: hosts.gateway.url(port, "ws"),
      }),
    });

    for (const version of HARNESSES) {
      await t.step(`harness ${version}`, async () => {
        await until("both executors are connected", connected, CONNECTED_WITHIN_MS);
        const which = "echo $CXG_TEST_MARK";
        const { results, stderr } = await runTurn({
          ...await turn(version),
          commands: [
            { cmd: which, workdir: first.dir },
            { cmd: which, workdir: second.dir, environmentId: "Buro-unten" },
            [
              { cmd: `echo again; ${which}`, workdir: first.dir, environmentId: "big-box" },
              { cmd: `echo again; ${which}`, workdir: second.dir, environmentId: "Buro-unten" },
            ],
          ],
        });
        assert.deepEqual(
          results.map(({ output }) => output),
          [
            "executor.test\n",
            "executor-2.test\n",
            "again\nexecutor.test\n",
            "again\nexecutor-2.test\n",
          ],
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
      assert.equal(outputs[1], "executor.test\n", stderr);
    });
  },
);

/** Starts the executor by the line that was printed for it. */
async function startByLine(line: string, host: Host): Promise<CapturedProcess & { dir: string }> {
  const dir = await Deno.makeTempDir({ prefix: "cxg-executor-" });
  const process = await startExecutorByLine({
    version: EXECUTOR,
    line,
    host,
    dir,
    env: { CXG_TEST_MARK: host.name },
  });
  const dispose = process[Symbol.asyncDispose];
  let removed: Promise<void> | undefined;
  const remove = async () => {
    await dispose();
    await Deno.remove(dir, { recursive: true });
  };
  return Object.assign(process, { dir, [Symbol.asyncDispose]: () => removed ??= remove() });
}

function done({ code, stdout, stderr }: Finished): string {
  assert.equal(code, 0, stderr);
  return stdout;
}
