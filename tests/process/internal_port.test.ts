/**
 * The command line of a gateway whose API has a port of its own.
 *
 * @module
 */
import assert from "node:assert/strict";
import { TestCertificates } from "../support/certificates.ts";
import { databases } from "../support/databases.ts";
import { freePort } from "../support/free_port.ts";
import { SECRETS } from "../support/gateway.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { type Finished, Gateway, runCli, TempDir } from "../support/process.ts";

const ADD = ["executor", "add", "--name", "n", "--workspace", "w"];
const STATUS = ["status", "--json"];

Deno.test("the command line finds the internal port, and its lines name the public one", async () => {
  await using dir = await TempDir.withDatabase();
  await using gateway = await Gateway.start(dir.path, { CXG_INTERNAL_PORT: "0" });
  const { internal_address, internal_port } = await gateway.record("listening");
  const api = `http://${internal_address}:${internal_port}`;
  assert.equal(answer(await runCli(dir.path, STATUS)).url, api);
  for (const more of [[], ["--url", api]]) {
    const { run } = answer(await runCli(dir.path, [...ADD, "--json", ...more]));
    for (const { line } of run) {
      assert.ok(line.includes(gateway.url) && !line.includes(api), line);
    }
  }
  const refused = await runCli(dir.path, [...STATUS, "--url", gateway.url]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /refused \(404\).*another port \(CXG_INTERNAL_PORT\)\?.*--url\n$/);
});

Deno.test("it does so by a certificate that is for another name than loopback's", async () => {
  await using dir = await TempDir.withDatabase();
  await using certificates = await TestCertificates.create();
  await certificates.renew(undefined, ["gateway.example"]);
  const port = freePort();
  const variables = {
    ...certificates.variables,
    CXG_INTERNAL_PORT: String(port),
    CXG_PUBLIC_WS_BASE_URL: "wss://gateway.example",
  };
  await using _gateway = await Gateway.start(dir.path, variables);
  await Deno.writeTextFile(`${dir.path}/given-ca.pem`, certificates.ca);
  const ca = ["--ca", `${dir.path}/given-ca.pem`];
  const { url } = answer(await runCli(dir.path, [...STATUS, ...ca]));
  assert.equal(url, `https://gateway.example:${port}`);
  const { run } = answer(await runCli(dir.path, [...ADD, "--json", ...ca]));
  for (const { line } of run) assert.match(line, /https:\/\/gateway\.example( |$)/);
  const untrusted = await runCli(dir.path, STATUS);
  assert.equal(untrusted.code, 1);
  assert.match(untrusted.stderr, /is signed by "test CA", which is not known here/);
});

const postgres = databases.find(({ name }) => name === "postgresql");

Deno.test({
  name: "with a database server it is found in the variables",
  ignore: postgres === undefined,
  async fn() {
    const database = await postgres!.create();
    try {
      await using certificates = await TestCertificates.create();
      await certificates.renew(undefined, ["gateway.example"]);
      for (const tls of [false, true]) {
        const variables: Record<string, string> = {
          CXG_PORT: String(freePort()),
          CXG_INTERNAL_PORT: String(freePort()),
          ...tls && { ...certificates.variables, CXG_PUBLIC_WS_BASE_URL: "wss://gateway.example" },
        };
        await using _gateway = await GatewayProcess.start(
          database.options,
          variables,
          certificates.ca,
        );
        const ca = tls ? ["--ca", `${certificates.directory}/ca.pem`] : [];
        await Deno.writeTextFile(`${certificates.directory}/ca.pem`, certificates.ca);
        const { database: kind } = answer(
          await runCli("", [...STATUS, ...ca], {
            ...variables,
            CXG_DATABASE_URL: database.options.databaseUrl!,
            CXG_AGENTSERVER_INTERNAL_SECRET: SECRETS.internal,
          }),
        );
        assert.equal(kind, "postgresql");
      }
    } finally {
      await database.dispose();
    }
  },
});

// deno-lint-ignore no-explicit-any -- as JSON has it
function answer({ code, stdout, stderr }: Finished): any {
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}
