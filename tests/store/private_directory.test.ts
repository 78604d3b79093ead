import assert from "node:assert/strict";
import { loadOrCreateSecrets } from "../../src/data_dir/secrets.ts";
import { DataDirectoryError } from "../../src/store/database.ts";
import { checkDataDirectory } from "../../src/store/private_directory.ts";
import { runCli, runGateway, TempDir } from "../support/process.ts";

const SECRETS = ["secrets.json", "tls/ca-key.pem", "tls/key.pem"];
const OTHERS = ["gateway.json", "lock", "serving.lock", "tls/ca.pem", "tls/cert.pem", "tls/lock"];

/** Registers a test, where files have modes, with a directory that has all in it that a gateway may leave. */
function test(name: string, body: (dataDir: string) => void | Promise<void>): void {
  Deno.test({
    name,
    ignore: Deno.build.os === "windows",
    async fn() {
      await using dir = await TempDir.empty();
      const dataDir = `${dir.path}/data of mine`;
      for (const name of ["pgdata", "tls"]) {
        await Deno.mkdir(`${dataDir}/${name}`, { recursive: true, mode: 0o700 });
      }
      for (const name of [...SECRETS, ...OTHERS]) {
        await Deno.writeTextFile(`${dataDir}/${name}`, "", { mode: 0o600 });
      }
      checkDataDirectory(dataDir);
      await body(dataDir);
    },
  });
}

test("whatever others may write to, or read where it is secret, is named with its chmod", async (dataDir) => {
  const writable = [0o620, 0o602, 0o666];
  const rows: [name: string, modes: number[], chmod: string][] = [
    ["", [0o770, 0o702, 0o777], "go-w"],
    ...["pgdata", "tls"].map((name): [string, number[], string] => [name, [0o770, 0o707], "go-w"]),
    ...OTHERS.map((name): [string, number[], string] => [name, writable, "go-w"]),
    ...SECRETS.map((
      name,
    ): [string, number[], string] => [name, [...writable, 0o640, 0o604], "600"]),
  ];
  for (const [name, modes, chmod] of rows) {
    const path = name === "" ? dataDir : `${dataDir}/${name}`;
    for (const mode of modes) {
      await Deno.chmod(path, mode);
      const command = refusal(dataDir, `chmod ${chmod} '${path}'`);
      assert.match(command, /^others may (write to|read) /);
      // It is what helps.
      const { success } = await new Deno.Command("sh", {
        args: ["-c", command.slice(command.indexOf("chmod"))],
      }).output();
      assert.ok(success, command);
      checkDataDirectory(dataDir);
    }
  }
  for (const name of ["", "tls/ca.pem"]) await Deno.chmod(`${dataDir}/${name}`, 0o755);
  checkDataDirectory(dataDir);
});

test("a link, or another kind of file, in place of one of them is named", async (dataDir) => {
  for (const name of [...SECRETS, ...OTHERS, "pgdata", "tls"]) {
    const path = `${dataDir}/${name}`;
    await Deno.rename(path, `${path}.away`);
    for (const to of [`${path}.away`, `${dataDir}/nothing`]) {
      await Deno.symlink(to, path);
      assert.match(refusal(dataDir, path), /is a symbolic link, and none is followed/);
      await Deno.remove(path);
    }
    if (name === "pgdata" || name === "tls") await Deno.writeTextFile(path, "");
    else await Deno.mkdir(path);
    assert.match(refusal(dataDir, path), /is not a (plain file|directory): move it away$/);
    await Deno.remove(path);
    await Deno.rename(`${path}.away`, path);
  }
  await Deno.symlink(dataDir, `${dataDir}-linked`);
  checkDataDirectory(`${dataDir}-linked`);
});

test("neither the gateway nor the command line goes on with one", async (dataDir) => {
  await Deno.remove(dataDir, { recursive: true });
  loadOrCreateSecrets(dataDir);
  await Deno.writeTextFile(`${dataDir}/gateway.json`, '{"url":"http://127.0.0.1:1"}', {
    mode: 0o600,
  });
  for (
    const [path, mode, wrong] of [["", 0o777, /go-w/], ["/secrets.json", 0o644, /600/]] as const
  ) {
    const before = (await Deno.stat(dataDir + path)).mode! & 0o777;
    await Deno.chmod(dataDir + path, mode);
    const command = wrong.source;
    const expected = `chmod ${command} '${dataDir}${path}'\n`;
    const served = await runGateway({ CXG_DATA_DIR: dataDir });
    assert.deepEqual([served.code, served.stderrLines.length], [1, 1], served.stderr);
    assert.ok(served.stderr.endsWith(expected), served.stderr);
    const listed = await runCli(dataDir, ["executor", "list"]);
    assert.equal(listed.code, 1);
    assert.ok(listed.stderr.endsWith(expected), listed.stderr);
    await Deno.chmod(dataDir + path, before);
  }
});

/** What a data directory is refused with, which has `part` in it. */
function refusal(dataDir: string, part: string): string {
  try {
    checkDataDirectory(dataDir);
  } catch (error) {
    assert.ok(error instanceof DataDirectoryError);
    assert.ok(error.message.includes(part), error.message);
    return error.message;
  }
  assert.fail(`it was not refused: ${part}`);
}
