/**
 * The databases that tests run on: the embedded one, and PostgreSQL where a server is there.
 *
 * `CXG_TEST_DATABASE_URL` names the server (its user must be allowed to create databases), `off`
 * means none; unset, the one on this machine is used if it answers.
 *
 * @module
 */

import config from "../../deno.json" with { type: "json" };
import type { StoreOptions } from "../../src/store/store.ts";
import { openPglite } from "../../src/store/pglite.ts";
import { openPostgres } from "../../src/store/postgres.ts";
import { exists } from "./files.ts";

/** A database of a test's own, empty. */
export interface TestDatabase {
  options: StoreOptions;
  /** Removes it. Whatever has it open is closed first, or is cut off. */
  dispose(): Promise<void>;
}

export interface TestDatabases {
  name: "embedded" | "postgresql";
  /** Whether this machine has it. A test of one that it lacks is ignored. */
  available: boolean;
  create(): Promise<TestDatabase>;
}

const server = await findServer();

export const databases: readonly TestDatabases[] = [
  { name: "embedded", available: true, create: createEmbedded },
  { name: "postgresql", available: server !== undefined, create: createPostgres },
];

/** Registers `test` once for each database, each time with one of its own. */
export function forEachDatabase(
  name: string,
  test: (options: StoreOptions, context: Deno.TestContext) => Promise<void>,
): void {
  for (const { name: engine, available, create } of databases) {
    Deno.test({
      name: `${name} (${engine})`,
      ignore: !available,
      async fn(context) {
        const database = await create();
        try {
          await test(database.options, context);
        } finally {
          await database.dispose();
        }
      },
    });
  }
}

async function createEmbedded(): Promise<TestDatabase> {
  const template = await embeddedTemplate();
  const dataDir = await Deno.makeTempDir({ prefix: "cxg-test-" });
  await copyDirectory(template, `${dataDir}/pgdata`);
  return {
    options: { dataDir },
    dispose: () => Deno.remove(dataDir, { recursive: true }),
  };
}

async function createPostgres(): Promise<TestDatabase> {
  if (server === undefined) throw new Error("there is no PostgreSQL server");
  const name = `cxg_test_${crypto.randomUUID().replaceAll("-", "")}`;
  await administer(server, `CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return {
    options: { databaseUrl: url.href, dataDir: "" },
    dispose: () => administer(server, `DROP DATABASE ${name} WITH (FORCE)`),
  };
}

/** Runs one statement on the server. */
async function administer(url: string, statement: string): Promise<void> {
  const database = await openPostgres(url);
  try {
    await database.query(statement);
  } finally {
    await database.close();
  }
}

async function findServer(): Promise<string | undefined> {
  const named = Deno.env.get("CXG_TEST_DATABASE_URL");
  if (named === "off") return undefined;
  const url = named ?? "postgres://postgres@127.0.0.1:5432/postgres";
  try {
    await (await openPostgres(url, { connectTimeoutMs: 1_000 })).close();
    return url;
  } catch (error) {
    // One that was named has to be there: to skip its tests would hide that it is not.
    if (named !== undefined) throw error;
    return undefined;
  }
}

/**
 * A database directory that was just made, to be copied: making one takes seconds. It is kept in
 * `.cache` from run to run, under the name of the engine's version.
 */
async function embeddedTemplate(): Promise<string> {
  const engine = config.imports["@electric-sql/pglite"].replaceAll(/[^\w.]+/g, "-");
  const cache = new URL("../../.cache/", import.meta.url).pathname;
  const template = `${cache}${engine}-pgdata`;
  if (await exists(template)) return template;

  await Deno.mkdir(cache, { recursive: true });
  const making = await Deno.makeTempDir({ dir: cache, prefix: "making-" });
  await (await openPglite(making)).close();
  try {
    await Deno.rename(`${making}/pgdata`, template);
  } catch (error) {
    // Another test process may have been quicker.
    if (!await exists(template)) throw error;
  }
  await Deno.remove(making, { recursive: true });
  return template;
}

async function copyDirectory(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { mode: 0o700 });
  const entries = await Array.fromAsync(Deno.readDir(from));
  await Promise.all(entries.map(({ name, isDirectory }) => {
    const copy = isDirectory ? copyDirectory : Deno.copyFile;
    return copy(`${from}/${name}`, `${to}/${name}`);
  }));
}
