import assert from "node:assert/strict";
import { loadOrCreateSecrets, readSecrets } from "../../src/data_dir/secrets.ts";
import { DataDirectoryError } from "../../src/store/database.ts";

/** Runs a test with a directory of its own. */
async function inTempDir(test: (dir: string) => void | Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "cxg-test-" });
  try {
    await test(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function modeOf(path: string): Promise<string> {
  const { mode } = await Deno.stat(path);
  return (mode! & 0o777).toString(8);
}

Deno.test("secrets are made on first use: two, random, each of 32 bytes", () =>
  inTempDir((dir) => {
    const one = loadOrCreateSecrets(`${dir}/one`);
    const two = loadOrCreateSecrets(`${dir}/two`);
    const all = [...Object.values(one), ...Object.values(two)];
    for (const secret of all) assert.match(secret, /^[0-9a-f]{64}$/);
    assert.equal(new Set(all).size, 4);
  }));

Deno.test({
  name: "only their owner may read them: the directory has mode 0700, the file 0600",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inTempDir(async (dir) => {
      loadOrCreateSecrets(`${dir}/above/data`);
      assert.equal(await modeOf(`${dir}/above/data`), "700");
      assert.equal(await modeOf(`${dir}/above/data/secrets.json`), "600");
      const entries = await Array.fromAsync(Deno.readDir(`${dir}/above/data`));
      assert.deepEqual(entries.map(({ name }) => name), ["secrets.json"], "no draft is left over");
    }),
});

Deno.test("they are the same each time after", () =>
  inTempDir((dir) => {
    assert.equal(readSecrets(dir), undefined, "reading alone makes none");
    assert.equal(readSecrets(`${dir}/absent`), undefined);
    const made = loadOrCreateSecrets(dir);
    assert.deepEqual(loadOrCreateSecrets(dir), made);
    assert.deepEqual(readSecrets(dir), made);
  }));

Deno.test("processes that make them at the same time end with the same", () =>
  inTempDir(async (dir) => {
    const dirs = Array.from({ length: 100 }, (_, i) => `${dir}/${i}`);
    const module = new URL("../../src/data_dir/secrets.ts", import.meta.url);
    const code = `
      import { loadOrCreateSecrets } from ${JSON.stringify(module.href)};
      await Deno.stdout.write(new Uint8Array(1));
      await Deno.stdin.read(new Uint8Array(1));
      const made = ${JSON.stringify(dirs)}.map(loadOrCreateSecrets);
      console.log(JSON.stringify(made));
    `;
    const children = [1, 2, 3].map(() =>
      new Deno.Command(Deno.execPath(), {
        args: ["eval", code],
        stdin: "piped",
        stdout: "piped",
      }).spawn()
    );
    try {
      const readers = children.map(({ stdout }) => stdout.getReader());
      await Promise.all(readers.map((reader) => reader.read()));
      await Promise.all(children.map(async ({ stdin }) => {
        const writer = stdin.getWriter();
        await writer.write(new Uint8Array(1));
        await writer.close();
      }));
      const outputs = await Promise.all(readers.map(async (reader) => {
        let text = "";
        const decoder = new TextDecoder();
        for (let part = await reader.read(); !part.done; part = await reader.read()) {
          text += decoder.decode(part.value, { stream: true });
        }
        return JSON.parse(text);
      }));
      for (const output of outputs) assert.deepEqual(output, outputs[0]);
      assert.deepEqual(dirs.map(readSecrets), outputs[0], "and that is what is on disk");
    } finally {
      for (const child of children) {
        try {
          child.kill("SIGKILL");
        } catch { /* it has ended */ }
        await child.status;
      }
    }
  }));

// What no file's name can hold, so that the path in the error cannot seem to tell it.
for (
  const [what, content] of [
    ["empty", ""],
    ["cut short", '{"captoken_hmac_secret": "ab/c+d", "agentserver_int'],
    ["an object without them", "{}"],
    ["null", "null"],
    ["an array", "[]"],
    ["without the second", '{"captoken_hmac_secret": "ab/c+d"}'],
    ["with an empty one", '{"captoken_hmac_secret": "", "agentserver_internal_secret": "ab/c+d"}'],
    ["with a number", '{"captoken_hmac_secret": "ab/c+d", "agentserver_internal_secret": 1}'],
  ] as const
) {
  Deno.test(`a secrets file that is ${what} is an error that names it, and is left as it is`, () =>
    inTempDir(async (dir) => {
      const file = `${dir}/secrets.json`;
      await Deno.writeTextFile(file, content, { mode: 0o600 });
      for (const load of [readSecrets, loadOrCreateSecrets]) {
        assert.throws(() => load(dir), (error) => {
          assert(error instanceof DataDirectoryError);
          assert(error.message.includes(file), error.message);
          assert(!error.message.includes("ab/c"), "and does not tell what is in it");
          return true;
        });
      }
      assert.equal(await Deno.readTextFile(file), content);
    }));
}

Deno.test("a data directory that cannot be is an error that names it", () =>
  inTempDir(async (dir) => {
    await Deno.writeTextFile(`${dir}/file`, "");
    const dataDir = `${dir}/file/data`;
    assert.throws(() => loadOrCreateSecrets(dataDir), (error) => {
      assert(error instanceof DataDirectoryError);
      assert(error.message.includes(dataDir), error.message);
      return true;
    });
    await Deno.mkdir(`${dir}/odd/secrets.json`, { recursive: true });
    assert.throws(() => loadOrCreateSecrets(`${dir}/odd`), DataDirectoryError);
  }));
