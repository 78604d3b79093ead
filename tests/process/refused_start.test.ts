import assert from "node:assert/strict";
import { type Finished, Gateway, runCli, runGateway, TempDir } from "../support/process.ts";

Deno.test("everything that is wrong with the configuration is said at once", async () => {
  await using dir = await TempDir.empty();
  const ended = await runGateway({
    CXG_DATA_DIR: `${dir.path}/data`,
    CXG_PORT: "hunter2secret",
    CXG_LOG_LEVEL: "hunter2secret",
    CXG_DATABASE_URL: "postgres://user:hunter2secret@db.example/cxg",
  });
  assertRefused(ended, 4);
  for (
    const name of [
      "CXG_PORT",
      "CXG_LOG_LEVEL",
      "CXG_CAPTOKEN_HMAC_SECRET",
      "CXG_AGENTSERVER_INTERNAL_SECRET",
    ]
  ) assert(ended.stderrLines.some((line) => line.includes(`: ${name} `)), `${name} is not named`);
  await assert.rejects(Deno.stat(`${dir.path}/data`), Deno.errors.NotFound, "and nothing is made");
});

Deno.test("a port that is taken is one line that names it", async () => {
  await using dir = await TempDir.withDatabase();
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  const ended = await runGateway({ CXG_DATA_DIR: dir.path, CXG_PORT: String(port) });
  assertRefused(ended, 1);
  assert.match(ended.stderr, new RegExp(`127\\.0\\.0\\.1:${port} is taken.*CXG_PORT`));
  await assert.rejects(Deno.stat(`${dir.path}/gateway.json`), Deno.errors.NotFound);
});

Deno.test("an address that is not this machine's is one line that names it", async () => {
  await using dir = await TempDir.withDatabase();
  // RFC 5737: an address for documentation, nobody's.
  const ended = await runGateway({ CXG_DATA_DIR: dir.path, CXG_HOST: "203.0.113.1" });
  assertRefused(ended, 1);
  assert.match(ended.stderr, /203\.0\.113\.1/);
});

Deno.test("a database that does not answer is one line, without the password", async () => {
  await using dir = await TempDir.empty();
  const ended = await runGateway({
    CXG_DATA_DIR: dir.path,
    CXG_DATABASE_URL: "postgres://user:hunter2secret@127.0.0.1:1/db",
    CXG_CAPTOKEN_HMAC_SECRET: "a hunter2secret, and long enough for one",
    CXG_AGENTSERVER_INTERNAL_SECRET: "b-hunter2secret-and-long-enough-for-one",
  });
  assertRefused(ended, 1);
  assert.match(ended.stderr, /127\.0\.0\.1:1\b/);
});

Deno.test("a data directory that cannot be made or written to is one line that names it", async () => {
  await using dir = await TempDir.empty();
  const file = `${dir.path}/file`;
  await Deno.writeTextFile(file, "");
  const impossible = [`${file}/data`, file];
  // Where nobody, not even root, can make a directory.
  if (Deno.build.os === "linux") impossible.push("/proc/codex-exec-gateway");
  for (const dataDir of impossible) {
    const ended = await runGateway({ CXG_DATA_DIR: dataDir });
    assertRefused(ended, 1);
    assert(ended.stderr.includes(dataDir), ended.stderr);
  }
});

Deno.test("with both secrets given, too, a data directory that cannot be made is one line", async () => {
  await using dir = await TempDir.empty();
  await Deno.writeTextFile(`${dir.path}/file`, "");
  const ended = await runGateway({
    CXG_DATA_DIR: `${dir.path}/file/data`,
    CXG_CAPTOKEN_HMAC_SECRET: "a".repeat(32),
    CXG_AGENTSERVER_INTERNAL_SECRET: "b".repeat(32),
  });
  assertRefused(ended, 1);
  assert(ended.stderr.includes(`${dir.path}/file/data`), ended.stderr);
});

Deno.test("secrets that cannot be read are one line that names the file", async () => {
  await using dir = await TempDir.empty();
  await Deno.writeTextFile(`${dir.path}/secrets.json`, '{"captoken_hmac_secret": "hunter2sec', {
    mode: 0o600,
  });
  const ended = await runGateway({ CXG_DATA_DIR: dir.path });
  assertRefused(ended, 1);
  assert(ended.stderr.includes(`${dir.path}/secrets.json`), ended.stderr);
  assert.doesNotMatch(ended.stderr, /hunter2/);
});

Deno.test("a second gateway on the same data directory is one line, and the first one stays", async () => {
  await using dir = await TempDir.withDatabase();
  await using first = await Gateway.start(dir.path);
  const ended = await runGateway({ CXG_DATA_DIR: dir.path });
  assertRefused(ended, 1);
  assert.match(ended.stderr, /in use by another process/);
  assert(ended.stderr.includes(dir.path));
  const { url } = JSON.parse(await Deno.readTextFile(`${dir.path}/gateway.json`));
  assert.equal(url, first.url, "the command line still finds the first");
  assert.equal(await (await fetch(`${first.url}/readyz`)).text(), "ok");
});

Deno.test("a data directory with a blank in its name serves as any other", async () => {
  await using dir = await TempDir.withDatabase();
  const dataDir = `${dir.path}/with a blank`;
  await Deno.mkdir(dataDir, { mode: 0o700 });
  await Deno.rename(`${dir.path}/pgdata`, `${dataDir}/pgdata`);
  await using gateway = await Gateway.start(dataDir);
  assert.equal(await (await fetch(`${gateway.url}/readyz`)).text(), "ok");
  const listed = await runCli(dataDir, ["executor", "list", "--workspace", "w", "--json"]);
  assert.equal(listed.stdout, "[]\n", listed.stderr);
});

Deno.test("a variable that is not UTF-8 is one line that names it, whoever is to read it", async () => {
  await using dir = await TempDir.empty();
  const variables = {
    CXG_DATA_DIR: dir.path,
    CXG_DATABASE_URL: "postgres://user@127.0.0.1:1/db",
    CXG_CAPTOKEN_HMAC_SECRET: "a".repeat(32),
    CXG_AGENTSERVER_INTERNAL_SECRET: "b".repeat(32),
  };
  const start = "task -q start";
  // The tasks' permissions, the configuration, the database's driver, and the command line read them.
  const readers: [string, string][] = [
    ["CXG_DATA_DIR", start],
    ["CXG_DATABASE_URL", start],
    ["CXG_TLS_KEY", start],
    ["CXG_CAPTOKEN_HMAC_SECRET", start],
    ["PGPASSWORD", start],
    ["CXG_AGENTSERVER_INTERNAL_SECRET", "task -q cli executor list"],
    ["CXG_DATABASE_URL", "task -q cli db adopt"],
    ["PGPASSWORD", "task -q cli db adopt"],
  ];
  for (const [name, words] of readers) {
    // This process could not hand such a value on.
    const { code, stderr } = await new Deno.Command("sh", {
      args: ["-c", `${name}=$(printf 'hunter2secret\\377') exec "$0" ${words}`, Deno.execPath()],
      env: { ...variables, NO_COLOR: "1" },
    }).output();
    const said = new TextDecoder().decode(stderr);
    assert.equal(code, 1, said);
    assert.match(said, new RegExp(`^[^\\n]*: ${name} is not UTF-8\\n$`), `${words}: ${said}`);
  }
});

Deno.test("a comma in a path is one line that names its variable, and allows nothing else", async () => {
  await using dir = await TempDir.empty();
  const ended = await runGateway({ CXG_DATA_DIR: `${dir.path}/a,${dir.path}/b` });
  assertRefused(ended, 1);
  assert.match(ended.stderr, /: CXG_DATA_DIR must be a path without a comma/);
  assert.deepEqual(await Array.fromAsync(Deno.readDir(dir.path)), []);
});

/** It ended by itself with exit code 1 and so many lines on standard error, each one fit for a person. */
function assertRefused(ended: Finished, lines: number): void {
  assert.equal(ended.code, 1, ended.stderr);
  assert.equal(ended.stderrLines.length, lines, ended.stderr);
  for (const line of ended.stderrLines) assert.match(line, /^codex-exec-gateway: \S/);
  assert.doesNotMatch(ended.stderr, / {4}at |Error:|hunter2secret/);
  assert.equal(ended.stdout, "");
}
