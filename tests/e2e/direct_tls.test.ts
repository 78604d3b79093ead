import assert from "node:assert/strict";
import { environmentsToml } from "../../src/cli/environments.ts";
import type { TlsConfig } from "../../src/config.ts";
import type { StoreOptions } from "../../src/store/store.ts";
import { TestCertificates } from "../support/certificates.ts";
import { forEachDatabase } from "../support/databases.ts";
import { untilConnected } from "../support/exclusive.ts";
import { freePort } from "../support/free_port.ts";
import { type CreatedExecutor, startGateway, type TestGateway } from "../support/gateway.ts";
import { type Host, type Hosts, makeHosts, whyNoHosts } from "../support/hosts/hosts.ts";
import { trustedFor } from "../support/trust.ts";
import { runTurn, startExecutor } from "./support/codex.ts";

const VERSION = "0.171.0";

/** How long an executor may take to dial in on a machine that is busy, in milliseconds. */
const CONNECTED_WITHIN_MS = 60_000;

forEachDatabase(
  "direct executors come by the gateway's name and the certificate that it made",
  (store) => withTls(store, "self-signed"),
  { ignore: whyNoHosts !== undefined },
);

forEachDatabase(
  "direct executors come by the gateway's name and a certificate of its owner's",
  async (store) => {
    await using certificates = await TestCertificates.create();
    await certificates.renew(undefined, ["gateway.test", "127.0.0.1"]);
    await withTls(store, certificates.files, certificates.ca);
  },
  { ignore: whyNoHosts !== undefined },
);

/** Three turns, each on two direct executors, all on machines of their own. */
async function withTls(store: StoreOptions, tls: TlsConfig, ca?: string): Promise<void> {
  await using hosts = await makeHosts({ executors: 2 });
  const port = freePort();
  await using gateway = await startGateway(store, {
    host: "0.0.0.0",
    port,
    tls,
    ca,
    // What a certificate of the gateway's own making is for.
    publicWsBaseUrl: hosts.gateway.url(port, "wss"),
  });
  const [onFirst, onSecond] = hosts.executors as [Host, Host];
  await using first = await start(gateway, hosts, onFirst);
  await using second = await start(gateway, hosts, onSecond);
  const exeIds = [first, second].map(({ executor }) => executor.exe_id);
  for (const turn of [1, 2, 3]) {
    for (const exeId of exeIds) await untilConnected(gateway, exeId, CONNECTED_WITHIN_MS);
    const token = await gateway.capToken("", { exe_ids: exeIds });
    const named = exeIds.map((exe_id, i) => ({ exe_id, name: `machine ${i + 1}` }));
    const environments = environmentsToml(
      hosts.gateway.url(port, "https"),
      named,
      token,
      Date.now() / 1000 + 3600,
    );
    assert.match(environments, /^auth_bearer_token = /m, "no token in a URL");
    const { outputs, stderr } = await runTurn({
      version: VERSION,
      hosts,
      // Of what would point it at one executor nothing is used.
      ...{ gatewayUrl: "", exeId: "", capToken: "" },
      environments,
      env: { SSL_CERT_FILE: first.caFile },
      commands: [
        { cmd: `echo turn ${turn} on $CXG_TEST_MARK`, workdir: "/" },
        { cmd: `echo turn ${turn} on $CXG_TEST_MARK`, workdir: "/", environmentId: "machine-2" },
      ],
    });
    assert.deepEqual(
      outputs,
      [onFirst, onSecond].map(({ name }) => `turn ${turn} on ${name}\n`),
      stderr,
    );
  }
}

interface Running extends AsyncDisposable {
  readonly executor: CreatedExecutor;
  /** The gateway's CA. */
  readonly caFile: string;
}

/** Starts a direct executor on a machine and waits until the gateway has it. */
async function start(gateway: TestGateway, hosts: Hosts, host: Host): Promise<Running> {
  await using made = new AsyncDisposableStack();
  const dir = await Deno.makeTempDir({ prefix: "cxg-executor-" });
  made.defer(() => Deno.remove(dir, { recursive: true }));
  const caFile = `${dir}/ca.pem`;
  await Deno.writeTextFile(caFile, trustedFor(gateway.url).ca!);
  const executor = await gateway.createExecutor("ws_test", { direct: true });
  const process = made.use(
    await startExecutor({
      version: VERSION,
      gatewayUrl: hosts.gateway.url(gateway.port, "https"),
      exeId: executor.exe_id,
      registrationToken: executor.registration_token,
      direct: executor.direct,
      host,
      dir,
      env: { CXG_TEST_MARK: host.name, SSL_CERT_FILE: caFile },
    }),
  );
  const ended = process.exited.then(({ code }) => {
    throw new Error(`the executor ended with ${code}: ${process.output()}`);
  });
  ended.catch(() => {});
  await Promise.race([ended, untilConnected(gateway, executor.exe_id, CONNECTED_WITHIN_MS)]);
  const running = made.move();
  return { executor, caFile, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
}
