/**
 * A command over Noise outlives the gateway that it was started through: one that another takes over from
 * (issue 4, item 2), and one that is stopped and started again on its port (issue 10, item 9).
 *
 * @module
 */
import assert from "node:assert/strict";
import { runTurn, startExecutor } from "../e2e/support/codex.ts";
import { TestCertificates } from "../support/certificates.ts";
import { forEachDatabase, onAnyDatabase } from "../support/databases.ts";
import { untilConnected } from "../support/exclusive.ts";
import type { StoreOptions } from "../../src/store/store.ts";
import { exists } from "../support/files.ts";
import { freePort } from "../support/free_port.ts";
import type { GatewayClient } from "../support/gateway.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { type Hosts, makeHosts, whyNoHosts } from "../support/hosts/hosts.ts";
import { until } from "../support/websocket.ts";
import { report } from "./support/figures.ts";
import { full } from "./support/scale.ts";
import { Succession } from "./support/succession.ts";

const VERSION = "0.169.0";
const RESTARTED_VERSIONS = ["0.160.1", "0.169.0", "0.171.0"];
const TURNS_EACH = full ? 10 : 1;
const RESTARTS = full ? 20 : 2;
const SECONDS = 10;
const WHOLE_OUTPUT = Array.from({ length: SECONDS }, (_, i) => `line ${i + 1}\n`).join("");

/** The harness dials the gateway by its name, from a machine of its own. */
const VARIABLES = { CXG_HOST: "0.0.0.0" };

/** Registers a test that has machines besides a database. */
function outliveTest(
  name: string,
  test: (store: StoreOptions, hosts: Hosts) => Promise<void>,
  registerOn = forEachDatabase,
) {
  registerOn(name, async (store) => {
    await using hosts = await makeHosts();
    await test(store, hosts);
  }, { ignore: whyNoHosts !== undefined });
}

outliveTest("ten-second commands outlive their gateway, whole", async (store, hosts) => {
  await using gateways = await Succession.start(store, VARIABLES);
  const embedded = store.databaseUrl === undefined;
  const database = embedded ? "embedded" : "PostgreSQL";
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    let whole = 0;
    const failures: string[] = [];
    for (let turn = 0; turn < TURNS_EACH; turn++) {
      const [failure] = await outlive(gateways.current, hosts, [VERSION], () => {
        return gateways.replace(signal);
      });
      if (failure === undefined) whole++;
      else failures.push(failure);
    }
    await report(
      `a 10 s command over Noise (${VERSION}) whose gateway is stopped by ${signal}, ${database}: ` +
        "turns that ended with their whole output",
      `${whole} of ${TURNS_EACH}`,
    );
    // Nobody listens between the death of the one and the start of the other where only one can have the
    // database, and nothing was said before it: how many get through is a figure, no promise.
    if (embedded && signal === "SIGKILL") continue;
    assert.deepEqual(failures, []);
  }
});

outliveTest(
  "ten-second commands outlive a restart of their gateway, whole",
  async (store, hosts) => {
    const database = store.databaseUrl === undefined ? "embedded" : "PostgreSQL";
    await outliveRestarts(store, hosts, VARIABLES, database);
  },
);

outliveTest(
  "ten-second commands outlive a restart of their gateway over TLS, whole",
  async (store, hosts) => {
    await using certificates = await TestCertificates.create();
    await certificates.renew(undefined, ["127.0.0.1", hosts.gateway.name]);
    const file = `${certificates.directory}/ca.pem`;
    await Deno.writeTextFile(file, certificates.ca);
    const variables = { ...VARIABLES, ...certificates.variables };
    await outliveRestarts(store, hosts, variables, "TLS", { pem: certificates.ca, file });
  },
  onAnyDatabase,
);

/** The CA of a gateway's certificate. */
interface Ca {
  readonly pem: string;
  readonly file: string;
}

/**
 * Stops and starts a gateway under turns of each release.
 *
 * @param variables the gateway's
 * @param how what it stands on, for the figures
 * @param ca where it serves TLS
 */
async function outliveRestarts(
  store: StoreOptions,
  hosts: Hosts,
  variables: Readonly<Record<string, string>>,
  how: string,
  ca?: Ca,
): Promise<void> {
  const port = String(freePort());
  const start = () => GatewayProcess.start(store, { ...variables, CXG_PORT: port }, ca?.pem);
  let gateway = await start();
  const whole = new Map(RESTARTED_VERSIONS.map((version) => [version, 0]));
  const failures: string[] = [];
  try {
    for (let restart = 0; restart < RESTARTS; restart++) {
      const outcomes = await outlive(gateway, hosts, RESTARTED_VERSIONS, async () => {
        gateway.kill("SIGTERM");
        assert.equal(await gateway.exited, 0);
        gateway = await start();
      }, ca?.file);
      for (const [i, version] of RESTARTED_VERSIONS.entries()) {
        const failure = outcomes[i];
        if (failure === undefined) whole.set(version, whole.get(version)! + 1);
        else failures.push(`${version}, restart ${restart + 1}: ${failure}`);
      }
    }
  } finally {
    await gateway[Symbol.asyncDispose]();
  }
  for (const [version, turns] of whole) {
    await report(
      `a 10 s command over Noise (${version}) whose gateway restarts, ${how}: turns that ended ` +
        "with their whole output",
      `${turns} of ${RESTARTS}`,
    );
  }
  assert.deepEqual(failures, []);
}

/**
 * Runs a turn of each release at the same time, and replaces their gateway meanwhile.
 *
 * @param replace resolves when another one serves
 * @param caFile of the gateway's certificate, where it serves TLS
 * @returns for each what went wrong with it, if anything did
 */
async function outlive(
  gateway: GatewayClient,
  hosts: Hosts,
  versions: string[],
  replace: () => Promise<unknown>,
  caFile?: string,
): Promise<(string | undefined)[]> {
  await using cleanUp = new AsyncDisposableStack();
  // Taken here: the process that has it is gone when the turns end.
  const { url, port } = gateway;
  const [scheme, env]: [string, Record<string, string>] = caFile === undefined
    ? ["http", {}]
    : ["https", { SSL_CERT_FILE: caFile }];
  const turns = await Promise.all(versions.map(async (version) => {
    const { exe_id, registration_token } = await gateway.createExecutor();
    const dir = await Deno.makeTempDir({ prefix: "cxg-executor-" });
    cleanUp.defer(() => Deno.remove(dir, { recursive: true }));
    // One of its own for each turn: one whose last connection was short would dial again ever later.
    cleanUp.use(
      await startExecutor({
        version,
        gatewayUrl: url,
        exeId: exe_id,
        registrationToken: registration_token,
        dir,
        env,
      }),
    );
    await untilConnected(gateway, exe_id, 60_000);
    const started = `${dir}/started`;
    const ended = runTurn({
      version,
      hosts,
      gatewayUrl: hosts.gateway.url(port, scheme),
      exeId: exe_id,
      capToken: await gateway.capToken(exe_id),
      commands: [
        `touch ${started}; for i in $(seq ${SECONDS}); do sleep 1; echo line $i; done`,
      ],
      timeoutMs: 120_000,
      env,
    });
    ended.catch(() => {});
    await until(`the command of ${version} runs`, () => exists(started), 60_000);
    return { ended };
  }));
  await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000 * (0.2 + 0.4 * Math.random())));
  await replace();
  return await Promise.all(turns.map(async ({ ended }) => {
    try {
      const { outputs, stderr } = await ended;
      if (outputs.length === 1 && outputs[0] === WHOLE_OUTPUT) return undefined;
      return `${JSON.stringify(outputs)}\n${stderr.slice(-2000)}`;
    } catch (error) {
      return `${error}`;
    }
  }));
}
