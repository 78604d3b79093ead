/**
 * Two executors, started with one registration token on two machines, do not keep a turn from its end
 * (issue 10, item 8).
 *
 * @module
 */
import assert from "node:assert/strict";
import { Contention } from "../../src/switchboard/contention.ts";
import { onAnyDatabase } from "../support/databases.ts";
import { type CreatedExecutor, startGateway, type TestGateway } from "../support/gateway.ts";
import { type Host, type Hosts, makeHosts, whyNoHosts } from "../support/hosts/hosts.ts";
import { settled, until } from "../support/websocket.ts";
import { type CapturedProcess, runTurn, startExecutor } from "./support/codex.ts";

const TURNS = 3;

/** How long codex may take to come again: after many refusals it does so once in half a minute. */
const COMES_AGAIN_MS = 120_000;

for (const version of ["0.130.0", "0.140.0", "0.142.5", "0.171.0"]) {
  onAnyDatabase(
    `codex ${version} on two machines with one token: turns end well`,
    async (store) => {
      // The clock stands still: once begun, the contest lasts.
      const contention = new Contention(() => 0);
      await using hosts = await makeHosts({ executors: 2 });
      await using gateway = await startGateway(store, { host: "0.0.0.0", contention });
      const executor = await gateway.createExecutor();
      await using cleanUp = new AsyncDisposableStack();
      const machines = new Map<string, CapturedProcess>();
      for (const [i, mark] of ["one", "two"].entries()) {
        const host = hosts.executors[i]!;
        const url = hosts.gateway.url(gateway.port);
        machines.set(mark, await start({ version, url, executor, mark, host }, cleanUp));
      }
      const isContested = () => contention.contestedForMs(executor.exe_id) > 0;
      await until("they have taken the executor from each other", isContested, COMES_AGAIN_MS);
      let mark = "";
      for (let turn = 0; turn < TURNS; turn++) {
        mark = await runOn(version, gateway, hosts, executor);
      }
      for (const { exited, output } of machines.values()) {
        assert.ok(!await settled(exited, 0), `an executor has ended: ${output()}`);
      }

      // The one that is kept goes, and the one that was refused is let in.
      await machines.get(mark)![Symbol.asyncDispose]();
      await until("the other is let in", async () => {
        return (await gateway.connected()).includes(executor.exe_id);
      }, COMES_AGAIN_MS);
      assert.notEqual(await runOn(version, gateway, hosts, executor), mark);
    },
    { ignore: whyNoHosts !== undefined },
  );
}

async function start(
  { version, url, executor: { exe_id, registration_token }, mark, host }: {
    version: string;
    url: string;
    executor: CreatedExecutor;
    mark: string;
    host: Host;
  },
  cleanUp: AsyncDisposableStack,
): Promise<CapturedProcess> {
  const dir = await Deno.makeTempDir({ prefix: "cxg-executor-" });
  cleanUp.defer(() => Deno.remove(dir, { recursive: true }));
  return cleanUp.use(
    await startExecutor({
      version,
      gatewayUrl: url,
      exeId: exe_id,
      registrationToken: registration_token,
      host,
      dir,
      env: { CXG_TEST_MARK: mark },
    }),
  );
}

/** Runs a turn; returns the mark of the machine that its command ran on. */
async function runOn(
  version: string,
  gateway: TestGateway,
  hosts: Hosts,
  { exe_id }: CreatedExecutor,
): Promise<string> {
  const { outputs, stderr } = await runTurn({
    version,
    hosts,
    gatewayUrl: hosts.gateway.url(gateway.port),
    exeId: exe_id,
    capToken: await gateway.capToken(exe_id),
    commands: ['sleep 1; printf "on $CXG_TEST_MARK"'],
    timeoutMs: 120_000,
  });
  const mark = /^on (one|two)$/.exec(outputs[0] ?? "")?.[1];
  assert.ok(mark, `${JSON.stringify(outputs)}\n${stderr.slice(-2000)}`);
  return mark;
}
