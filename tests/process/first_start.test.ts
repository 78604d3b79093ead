import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { Gateway, runCli, Task, TempDir } from "../support/process.ts";

Deno.test("the first start: nothing is there, and all that is needed is made and said", async (t) => {
  await using parent = await TempDir.empty();
  const dataDir = `${parent.path}/data`;
  await using gateway = await Gateway.start(dataDir, {
    CXG_LOG_LEVLE: "hunter2secret",
    CXG_WEB_SERVICE_HOST: "10.96.0.7",
    CXG_WEB_PORT: "tcp://10.96.0.7:80",
    CXG_SHARE_PORT: "tcp://10.96.0.8:80",
  });

  await t.step(
    "a misspelt name is a warning, and what Kubernetes sets for a Service is none",
    () => {
      const warnings = gateway.records.filter((it) => String(it.message).includes("CXG_"));
      assert.deepEqual(warnings.map(({ level, message }) => [level, message]), [
        ["WARN", "CXG_LOG_LEVLE is no variable of the gateway: did you mean CXG_LOG_LEVEL?"],
      ]);
      assert.doesNotMatch(gateway.stderr, /hunter2secret/);
    },
  );

  await t.step("it serves where it says", async () => {
    assert.match(gateway.url, /^http:\/\/127\.0\.0\.1:\d+$/);
    for (const path of ["/healthz", "/readyz"]) {
      const response = await fetch(gateway.url + path);
      assert.equal(response.status, 200);
      assert.equal(await response.text(), "ok");
    }
  });

  await t.step("its log and gateway.json say the same", async () => {
    const { address, port, database } = await gateway.record("listening");
    assert.deepEqual({ url: `http://${address}:${port}`, database }, {
      url: gateway.url,
      database: "embedded",
    });
    const left = JSON.parse(await Deno.readTextFile(`${dataDir}/gateway.json`));
    assert.equal(left.url, gateway.url);
  });

  await t.step({
    name: "only the owner may look into the data directory",
    ignore: Deno.build.os === "windows",
    async fn() {
      assert.equal(await modeOf(dataDir), "700");
      assert.equal(await modeOf(`${dataDir}/secrets.json`), "600");
      assert.equal(await modeOf(`${dataDir}/gateway.json`), "600");
    },
  });

  const elsewhere = Deno.networkInterfaces().find(({ family, address }) =>
    family === "IPv4" && !address.startsWith("127.")
  );
  await t.step({
    name: "only this machine reaches it: at the machine's other address it is not there",
    ignore: elsewhere === undefined,
    async fn() {
      const port = Number(new URL(gateway.url).port);
      await assert.rejects(
        Deno.connect({ hostname: elsewhere!.address, port }),
        Deno.errors.ConnectionRefused,
      );
    },
  });

  await t.step("the secrets are not shown", async () => {
    const secrets = JSON.parse(await Deno.readTextFile(`${dataDir}/secrets.json`));
    for (const secret of Object.values<string>(secrets)) {
      assert(!gateway.stdout.includes(secret) && !gateway.stderr.includes(secret));
    }
  });

  await t.step("what it says is its log, and nothing else", () => {
    assert.equal(gateway.stdout, "");
    assert.ok(gateway.records.length > 0);
  });
});

Deno.test({
  name: "on a terminal the start says what to try next, and that works, word for word",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using data = await TempDir.withDatabase();
    const dataDir = data.path;
    await using gateway = new Task(["task", "-q", "start"], {
      CXG_DATA_DIR: dataDir,
      CXG_PORT: "0",
    }, { onTerminal: true });
    const [, url, command] = await gateway.stdoutMatch(
      /listens on (\S+)\r?\n[^]*Next, in another terminal:\r?\n +.*\bdeno\S* task -q cli ([^\r\n]+)\r?\n/,
    );
    const words = command!.split(" ");
    const added = await runCli(dataDir, words);
    assert.equal(added.code, 0, added.stderr);
    assert.equal(added.stderr, "");
    const exeId = /^executor +(exe_[\w-]+)$/m.exec(added.stdout)?.[1];
    const token = /^registration token +([0-9a-f]{64})\b/m.exec(added.stdout)?.[1];
    assert(exeId && token, added.stdout);
    for (const name of ["CODEX_EXEC_SERVER_REMOTE_BEARER_TOKEN", "CODEX_API_KEY"]) {
      const line: string = `${name}=${token} codex exec-server --remote ${url} `;
      assert(added.stdout.includes(line), added.stdout);
    }

    const workspace = words[words.indexOf("--workspace") + 1]!;
    const listed = await runCli(dataDir, ["executor", "list", "--workspace", workspace, "--json"]);
    assert.deepEqual(
      JSON.parse(listed.stdout).map((e: Record<string, unknown>) => [e.exe_id, e.is_default]),
      [[exeId, true]],
    );
  },
});

Deno.test({
  name: "on a terminal the start says which CA to trust, and where its API is",
  ignore: Deno.build.os !== "linux",
  async fn() {
    await using data = await TempDir.withDatabase();
    await using gateway = new Task(["task", "-q", "start"], {
      CXG_DATA_DIR: data.path,
      CXG_PORT: "0",
      CXG_INTERNAL_PORT: "0",
      CXG_TLS: "self-signed",
    }, { onTerminal: true });
    const [, api, file, fingerprint] = await gateway.stdoutMatch(
      /API and metrics: (\S+)\r?\nits CA: (\S+)\r?\nSHA-256 of that: (\S+)\r?\n/,
    );
    assert.match(api!, /^https:\/\/127\.0\.0\.1:\d+$/);
    const { fingerprint256 } = new X509Certificate(await Deno.readTextFile(file!));
    assert.equal(fingerprint, fingerprint256);
  },
});

async function modeOf(path: string): Promise<string> {
  const { mode } = await Deno.stat(path);
  return (mode! & 0o777).toString(8);
}
