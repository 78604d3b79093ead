import assert from "node:assert/strict";

const SRC = new URL("../../src/", import.meta.url);

/** The source files below a directory, by their paths from `src/`. */
async function* filesBelow(directory: URL): AsyncGenerator<URL> {
  for await (const entry of Deno.readDir(directory)) {
    if (entry.isDirectory) yield* filesBelow(new URL(`${entry.name}/`, directory));
    else if (entry.name.endsWith(".ts")) yield new URL(entry.name, directory);
  }
}

Deno.test("nobody but the switchboard knows the registry, the links and the wires", async () => {
  const inside =
    /switchboard\/(conn_registry|exclusive_link|relay_link|wire|live_turns|contention)\.ts"/;
  /** Those that need the name of a type of one: the metrics count by who sends, tests hand a contention in. */
  const allowed = new Map([
    ["handlers/metrics.ts", "wire"],
    ["server.ts", "contention"],
  ]);
  let looked = 0;
  for await (const file of filesBelow(SRC)) {
    const path = file.pathname.slice(SRC.pathname.length);
    looked++;
    if (path.startsWith("switchboard/")) continue;
    for (const line of (await Deno.readTextFile(file)).split("\n")) {
      const imported = inside.exec(line)?.[1];
      if (imported === undefined) continue;
      const isFine = allowed.get(path) === imported && line.startsWith("import type ");
      assert.ok(isFine, `src/${path} imports ${imported}`);
    }
  }
  assert.ok(looked > 80, `${looked} files`);
});

Deno.test("nothing of the runtime's insides is known outside of src/runtime", async () => {
  for await (const file of filesBelow(SRC)) {
    const path = file.pathname.slice(SRC.pathname.length);
    if (path.startsWith("runtime/")) continue;
    const text = await Deno.readTextFile(file);
    assert.doesNotMatch(text, /runtime\/insides\.ts|getOwnPropertySymbols|Deno\.internal/, path);
  }
});
