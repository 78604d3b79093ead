import assert from "node:assert/strict";
import { executorStarts } from "../../src/cli/executor_start.ts";
import { JoinFile, joinScript } from "../../src/cli/join_file.ts";
import { CommandError } from "../../src/cli/output.ts";
import { TestCertificates } from "../support/certificates.ts";

const CONTENT = {
  name: "laptop",
  exeId: "exe_1",
  url: "https://gateway.example",
  starts: executorStarts("https://gateway.example", "exe_1", "t0k3n"),
};

Deno.test("a join file is its owner's alone, and takes the place of nothing", async () => {
  const dir = await Deno.makeTempDir({ prefix: "cxg-join-" });
  try {
    const path = `${dir}/laptop.join`;
    const file = new JoinFile(path);
    file.write(CONTENT);
    file.discard();
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
    assert.equal(await Deno.readTextFile(path), joinScript(CONTENT));

    assert.throws(() => new JoinFile(path), (error) => {
      assert.ok(error instanceof CommandError);
      assert.match(error.message, /laptop\.join: it is there already$/);
      return true;
    });
    await Deno.symlink(`${dir}/elsewhere`, `${dir}/link.join`);
    assert.throws(() => new JoinFile(`${dir}/link.join`), /it is there already/);
    await assert.rejects(Deno.stat(`${dir}/elsewhere`), Deno.errors.NotFound);

    const swapped = new JoinFile(`${dir}/swapped.join`);
    await Deno.remove(`${dir}/swapped.join`);
    await Deno.symlink(`${dir}/elsewhere`, `${dir}/swapped.join`);
    swapped.write(CONTENT);
    assert.ok((await Deno.lstat(`${dir}/swapped.join`)).isFile);
    await assert.rejects(Deno.stat(`${dir}/elsewhere`), Deno.errors.NotFound);
    const names = (await Array.fromAsync(Deno.readDir(dir))).map(({ name }) => name);
    assert.deepEqual(names.toSorted(), ["laptop.join", "link.join", "swapped.join"], "no draft");

    new JoinFile(`${dir}/unused.join`).discard();
    await assert.rejects(Deno.stat(`${dir}/unused.join`), Deno.errors.NotFound);
    assert.throws(() => new JoinFile(`${dir}/none/x.join`), CommandError);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("a join file is a shell script, whatever the executor is called", async () => {
  await using certificates = await TestCertificates.create();
  const urls = ["https://gateway.example", "http://gateway.example", "http://127.0.0.1:6060"];
  for (const name of ["laptop", 'a "b" $(touch /x) `c`', "x\ntouch owned\n#", "Büro"]) {
    for (const url of urls) {
      for (const caPem of [undefined, certificates.ca]) {
        const starts = executorStarts(url, "exe_1", "t0k3n");
        const script = joinScript({ name, exeId: "exe_1", url, starts, caPem });
        const { code, stderr } = await shell(["-n"], script);
        assert.equal(code, 0, stderr);
        assert.doesNotMatch(script, /^touch/m);
      }
    }
  }
});

Deno.test("a join file refuses a codex that it has no line for, and leaves nothing behind", async () => {
  const dir = await Deno.makeTempDir({ prefix: "cxg-join-" });
  try {
    for (
      const [says, complaint] of [
        ["codex-cli 0.133.0", /codex 0\.133\.0 cannot be joined: take one of codex 0\.130, /],
        ["codex-cli 0.129.0", /codex 0\.129\.0 cannot be joined/],
        ["codex-cli dev", /dev is no codex release such as 0\.\d+\.0/],
        ["codex-cli 0.x.0", /0\.x\.0 is no codex release/],
      ] as const
    ) {
      // Only the answer to --version of such a codex is needed.
      const codex = `${dir}/codex`;
      await Deno.writeTextFile(codex, `#!/bin/sh\necho '${says}'\n`);
      await Deno.chmod(codex, 0o700);
      const { code, stderr } = await shell([], joinScript(CONTENT), { CODEX: codex, TMPDIR: dir });
      assert.equal(code, 1);
      assert.match(stderr, complaint);
      assert.doesNotMatch(stderr, /t0k3n/);
      assert.deepEqual((await Array.fromAsync(Deno.readDir(dir))).map(({ name }) => name), [
        "codex",
      ]);
    }
    const { code, stderr } = await shell(["-s", "0.1.0", "more"], joinScript(CONTENT));
    assert.equal(code, 1);
    assert.match(stderr, /usage: sh FILE \[RELEASE\]/);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

/** Lets a POSIX shell read a script. */
async function shell(args: string[], script: string, env: Record<string, string> = {}) {
  const child = new Deno.Command("sh", {
    args,
    env,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  // It may have refused, and gone, before it has read all of it.
  writer.write(new TextEncoder().encode(script)).then(() => writer.close()).catch(() => {});
  const { code, stderr } = await child.output();
  return { code, stderr: new TextDecoder().decode(stderr) };
}
