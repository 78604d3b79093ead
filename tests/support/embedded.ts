/**
 * Data directories with an embedded database that was just made: to make one takes seconds.
 *
 * @module
 */
import pgliteWasm from "@electric-sql/pglite/pglite.wasm" with { type: "bytes" };
import config from "../../deno.json" with { type: "json" };
import { openPglite } from "../../src/store/pglite.ts";
import { CACHE, exists, makeDataDir } from "./files.ts";

/** Where directories wait to be used again. */
const SPARE = `${CACHE}spare/`;

/** The engine's code. V8 shares what it has compiled of it for as long as somebody holds it. */
let engineCode: Promise<WebAssembly.Module> | undefined;

/** Makes one; {@linkcode putBack} it when nobody has it open any more. */
export async function takeDatabase(): Promise<string> {
  engineCode ??= WebAssembly.compile(pgliteWasm);
  await engineCode;
  const template = await findTemplate();
  const dataDir = await takeSpare() ?? await makeDataDir();
  for await (const { name, isDirectory } of Deno.readDir(dataDir)) {
    const isDatabase = name === "pgdata" && isDirectory;
    if (!isDatabase) await Deno.remove(`${dataDir}/${name}`, { recursive: true });
  }
  await makeLike(template, `${dataDir}/pgdata`);
  return dataDir;
}

/**
 * Gives a directory back. It is not removed: ext4 makes no new file in the place of one that was removed
 * in the last seconds, and looks at each of those places before it finds another.
 */
export async function putBack(dataDir: string): Promise<void> {
  await Deno.mkdir(SPARE, { recursive: true });
  await Deno.rename(dataDir, SPARE + crypto.randomUUID());
}

async function takeSpare(): Promise<string | undefined> {
  if (!await exists(SPARE)) return undefined;
  for await (const { name } of Deno.readDir(SPARE)) {
    const dataDir = `${CACHE}data-${name}`;
    try {
      await Deno.rename(SPARE + name, dataDir);
      return dataDir;
    } catch (error) {
      // Another test has taken it.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
}

/** The one that is copied, kept from run to run under the name of the engine's version. */
async function findTemplate(): Promise<string> {
  const engine = config.imports["@electric-sql/pglite"].replaceAll(/[^\w.]+/g, "-");
  const template = `${CACHE}${engine}-template`;
  if (await exists(template)) return template;

  const making = await makeDataDir();
  const database = await openPglite(making);
  // Two thirds of its files, which nobody needs.
  for (const spare of ["template0", "template1"]) {
    await database.query(`ALTER DATABASE ${spare} IS_TEMPLATE false`);
    await database.query(`DROP DATABASE ${spare}`, []);
  }
  await database.close();
  try {
    await Deno.rename(`${making}/pgdata`, template);
  } catch (error) {
    // Another test process may have been quicker.
    if (!await exists(template)) throw error;
  }
  await Deno.remove(making, { recursive: true });
  return template;
}

/** Makes a directory the copy of another, whatever is in it. */
async function makeLike(original: string, copy: string): Promise<void> {
  if (!await exists(copy)) await Deno.mkdir(copy, { mode: 0o700 });
  const wanted = await entriesOf(original);
  for (const [name, isDirectory] of await entriesOf(copy)) {
    if (wanted.get(name) !== isDirectory) {
      await Deno.remove(`${copy}/${name}`, { recursive: true });
    }
  }
  await Promise.all([...wanted].map(([name, isDirectory]) => {
    const make = isDirectory ? makeLike : Deno.copyFile;
    return make(`${original}/${name}`, `${copy}/${name}`);
  }));
}

async function entriesOf(directory: string): Promise<Map<string, boolean>> {
  const entries = await Array.fromAsync(Deno.readDir(directory));
  return new Map(entries.map(({ name, isDirectory }) => [name, isDirectory]));
}
