/**
 * Every release, started by the lines that the gateway's command line prints, on machines that are not
 * the gateway's.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type Hosts, makeHosts, whyNoHosts } from "../../support/hosts/hosts.ts";
import { until } from "../../support/websocket.ts";
import { ApartGateway } from "./apart.ts";
import { runTurn, startExecutorByLine } from "./codex.ts";
import { tail } from "./process.ts";
import { lineFor } from "./release.ts";
import { RELEASES } from "./releases.ts";

/** How long an executor may take to dial in on a machine that is busy, in milliseconds. */
const CONNECTED_WITHIN_MS = 60_000;

/** A clone of the repository: where the lines that begin with `node src/join` are run. */
const CLONE = new URL("../../../", import.meta.url).pathname;

/** How the gateway is reached. */
export interface Way {
  /** `http`, or what serves TLS. */
  readonly name: string;
  readonly scheme: "http" | "https";
  /** Why it cannot be tried here, if it cannot. */
  readonly whyNot?: string;
  /** What the gateway is started with; disposed of with it. */
  prepare(): Promise<
    AsyncDisposable & { readonly variables: Record<string, string>; readonly ca?: string }
  >;
}

/** A gateway that the tests of one file share. */
interface Started {
  readonly hosts: Hosts;
  readonly gateway: ApartGateway;
}

/** Registers a test for each release. */
export function printedLinesTests(way: Way): void {
  const owned = new AsyncDisposableStack();
  let starting: Promise<Started> | undefined;
  const start = async () => {
    const hosts = owned.use(await makeHosts({ gateway: "apart" }));
    const prepared = owned.use(await way.prepare());
    const gateway = owned.use(await ApartGateway.start(hosts, way.scheme, prepared));
    return { hosts, gateway };
  };
  Deno.test.afterAll(() => owned.disposeAsync());
  for (const version of RELEASES) {
    for (const how of ["line", "join file"] as const) {
      Deno.test({
        name: `codex ${version}, ${way.name}, by its ${how}: runs a command on another machine`,
        ignore: whyNoHosts !== undefined || way.whyNot !== undefined,
        // The gateway goes on from test to test.
        sanitizeOps: false,
        sanitizeResources: false,
        fn: async () => runsACommand(version, await (starting ??= start()), how),
      });
    }
  }
}

async function runsACommand(
  version: string,
  { hosts, gateway }: Started,
  how: "line" | "join file",
): Promise<void> {
  const workspace = `ws_${crypto.randomUUID()}`;
  const dir = await Deno.makeTempDir({ prefix: "cxg-executor-" });
  await using _dir = { [Symbol.asyncDispose]: () => Deno.remove(dir, { recursive: true }) };
  const add = ["executor", "add", "--name", version, "--workspace", workspace];
  let exeId: string, line: string;
  if (how === "line") {
    const added = JSON.parse(await gateway.cli(...add, "--json"));
    exeId = added.exe_id;
    line = `${added.ca?.prepare ?? ""}\n${lineFor(version, added.run)}`;
  } else {
    await Deno.writeTextFile(`${dir}/executor.sh`, await gateway.cli(...add, "--join-file", "-"));
    [{ exe_id: exeId }] = JSON.parse(
      await gateway.cli("executor", "list", "--workspace", workspace, "--json"),
    );
    line = `sh ${dir}/executor.sh`;
  }
  await using executor = await startExecutorByLine({
    version,
    line,
    host: hosts.executor,
    dir: how === "line" ? CLONE : dir,
    env: { CXG_TEST_MARK: "only the executor has this" },
  });
  const connected = async () => {
    const said = await gateway.cli("executor", "list", "--workspace", workspace, "--json");
    const [{ connected }] = JSON.parse(said);
    return connected;
  };
  const ended = executor.exited.then(({ code }) => {
    throw new Error(`the executor ended with ${code}: ${executor.output()}`);
  });
  ended.catch(() => {});
  await Promise.race([ended, until("the executor is connected", connected, CONNECTED_WITHIN_MS)])
    .catch((error) => {
      throw new Error(`${error}: ${executor.output()}\n${tail(gateway.output)}`);
    });

  const mint = ["token", "mint", "--workspace", workspace, "--exe", exeId, "--json"];
  const { harness: [printed], ca } = JSON.parse(await gateway.cli(...mint));
  const { outputs, stderr } = await runTurn({
    version,
    hosts,
    line: `${ca?.prepare ?? ""}\n${lineFor(version, printed.lines)}`,
    commands: [{ cmd: 'uname -n; echo "$CXG_TEST_MARK"', workdir: "/" }],
  });
  assert.deepEqual(outputs, [`${hosts.executor.name}\nonly the executor has this\n`], stderr);
}
