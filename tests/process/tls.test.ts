/**
 * The gateway with TLS as a person starts it.
 *
 * @module
 */
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readGatewayFile } from "../../src/data_dir/gateway_file.ts";
import { TestCertificates } from "../support/certificates.ts";
import { onAnyDatabase } from "../support/databases.ts";
import { dialIn, greet, openBridge } from "../support/exclusive.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { Gateway, runGateway, TempDir } from "../support/process.ts";
import { fetchFrom, Trust } from "../support/trust.ts";
import { until } from "../support/websocket.ts";

/** Asks a gateway whether it serves, with a CA trusted for it. */
async function health({ url }: { url: string }, ca: string): Promise<string> {
  using _trust = new Trust([Number(new URL(url).port)], ca);
  return await (await fetchFrom(`${url}/healthz`)).text();
}

Deno.test("CXG_TLS=self-signed serves, says which CA to trust, and keeps it", async () => {
  await using dataDir = await TempDir.withDatabase();
  const start = () => Gateway.start(dataDir.path, { CXG_TLS: "self-signed" });
  const fingerprints: unknown[] = [];
  for (let run = 0; run < 2; run++) {
    await using gateway = await start();
    assert.match(gateway.url, /^https:\/\/127\.0\.0\.1:\d+$/);
    const left = readGatewayFile(dataDir.path)!;
    assert.equal(left.url, gateway.url);
    assert.equal(left.ca_file, `${dataDir.path}/tls/ca.pem`);
    const ca = await Deno.readTextFile(left.ca_file);
    const { fingerprint256 } = new X509Certificate(ca);
    const { ca_file, ca_sha256 } = await gateway.record("listening");
    assert.deepEqual({ ca_file, ca_sha256 }, { ca_file: left.ca_file, ca_sha256: fingerprint256 });
    fingerprints.push(fingerprint256);
    assert.equal(await health(gateway, ca), "ok");
    gateway.signal("SIGTERM");
    assert.equal((await gateway.exited).code, 0);
  }
  assert.equal(new Set(fingerprints).size, 1);
});

Deno.test("a certificate outside of the data directory is read, and its successor behind the link", async () => {
  await using dataDir = await TempDir.withDatabase();
  await using certificates = await TestCertificates.create();
  const { directory, ca } = certificates;
  // As certbot keeps them.
  const live = `${directory}/live`;
  await Deno.mkdir(live);
  const link = async (to: string) => {
    for (const name of ["cert.pem", "key.pem"]) {
      await Deno.rename(`${directory}/${name}`, `${directory}/${to}-${name}`);
      await Deno.remove(`${live}/${name}`).catch(() => {});
      await Deno.symlink(`../${to}-${name}`, `${live}/${name}`);
    }
  };
  await certificates.renew(undefined, ["gateway.example", "localhost"]);
  await link("first");
  await using gateway = await Gateway.start(dataDir.path, {
    CXG_TLS_CERT: `${live}/cert.pem`,
    CXG_TLS_KEY: `${live}/key.pem`,
  });
  assert.match(gateway.url, /^https:\/\/localhost:/, "the first host that the certificate is for");
  assert.equal(readGatewayFile(dataDir.path)!.ca_file, undefined);
  assert.equal(await health(gateway, ca), "ok");
  await certificates.renew(undefined, ["renewed.example", "localhost"]);
  await link("second");
  await gateway.record("a new TLS certificate is served");
  assert.equal(await health(gateway, ca), "ok");
});

Deno.test("what is wrong with the certificate is said in one line each, and nothing starts", async () => {
  await using dataDir = await TempDir.empty();
  await using certificates = await TestCertificates.create();
  await Deno.writeTextFile(certificates.files.certFile, certificates.ca);
  const { code, stderrLines } = await runGateway({
    CXG_DATA_DIR: dataDir.path,
    ...certificates.variables,
  });
  assert.equal(code, 1);
  assert.deepEqual(stderrLines.map((line) => line.split(": ", 2)[1]!.split(" ", 3).join(" ")), [
    "CXG_TLS_CERT begins with",
    "CXG_TLS_CERT names no",
    "CXG_TLS_KEY is not",
  ]);
});

onAnyDatabase("out of file descriptors, it serves again when there are some", async (store) => {
  await using certificates = await TestCertificates.create();
  const { variables, ca } = certificates;
  await using gateway = await GatewayProcess.start(store, variables, ca);
  const executor = await gateway.createExecutor();
  await using machine = await dialIn(gateway, executor);
  await using harness = await openBridge(gateway, executor.exe_id);
  await greet(harness, machine);
  const most = await gateway.openFiles() + 30;
  const limited = await new Deno.Command("prlimit", {
    args: ["--pid", `${gateway.pid}`, `--nofile=${most}`],
  }).output();
  assert.ok(limited.success, "prlimit failed");
  const held: Deno.Conn[] = [];
  for (let i = 0; i < 100; i++) {
    held.push(await Deno.connect({ hostname: "127.0.0.1", port: gateway.port }));
  }
  await until("it says so", () => gateway.log.includes("no connection can be accepted"));
  await greet(harness, machine);
  for (const connection of held) connection.close();
  using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0, caCerts: [ca] });
  await until("it serves again", async () => {
    try {
      return await (await fetch(`${gateway.url}/healthz`, { client })).text() === "ok";
    } catch {
      return false;
    }
  }, 30_000);
  await greet(harness, machine);
});
