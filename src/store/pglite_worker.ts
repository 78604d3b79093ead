/**
 * The thread that hosts the embedded database: its queries run synchronously, and would hold up
 * every frame on the main thread.
 *
 * @module
 */

/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />

import { fsyncSync } from "node:fs";
import { messages, PGlite, type PGliteOptions } from "@electric-sql/pglite";
import { NodeFS } from "@electric-sql/pglite/nodefs";
// As bytes in the module graph, so that they need no permission to read and are part of a compiled
// program.
import initdbWasm from "@electric-sql/pglite/initdb.wasm" with { type: "bytes" };
import pgliteData from "@electric-sql/pglite/pglite.data" with { type: "bytes" };
import pgliteWasm from "@electric-sql/pglite/pglite.wasm" with { type: "bytes" };
// The worker's own file is the only one of ours that it may need permission to read, so that what it
// takes from the others are types.
import type { Answer, Request } from "./pglite_protocol.ts";

let database: PGlite | undefined;
let inOrder: Promise<void> = Promise.resolve();

self.onmessage = ({ data }: MessageEvent<Request>) => {
  inOrder = inOrder.then(async () => self.postMessage(await answer(data)));
};

async function answer(request: Request): Promise<Answer> {
  const { id } = request;
  try {
    return { id, rows: await perform(request) };
  } catch (error) {
    const message = messageOf(error);
    const code = error instanceof messages.DatabaseError ? error.code : undefined;
    return { id, failure: code === undefined ? { message } : { message, code } };
  }
}

async function perform(request: Request): Promise<unknown[]> {
  if (request.kind === "open") {
    database = await open(request.directory);
    return [];
  }
  if (database === undefined) throw new Error("the embedded database is not open");
  if (request.kind === "close") {
    await database.close();
    database = undefined;
    return [];
  }
  const { text, values } = request;
  if (values === undefined) return (await database.exec(text)).at(-1)?.rows ?? [];
  return (await database.query(text, [...values])).rows;
}

/**
 * Opens the database in `directory`, which is made when it is absent. A new one is made beside it
 * and renamed, so that a process killed at any moment leaves either a whole database or none.
 */
async function open(directory: string): Promise<PGlite> {
  const complaints: string[] = [];
  let isOpen = false;
  const options: PGliteOptions = {
    pgliteWasmModule: await WebAssembly.compile(pgliteWasm),
    initdbWasmModule: await WebAssembly.compile(initdbWasm),
    fsBundle: new Blob([pgliteData]),
    startParams: START_PARAMS,
    onStderr(line) {
      const complaint = /(?:FATAL|PANIC|DETAIL):.*/.exec(line)?.[0];
      if (complaint === undefined) return false;
      if (!isOpen) complaints.push(complaint);
      // Said now: after a panic the engine's call may never return.
      else if (complaint.startsWith("PANIC")) {
        self.postMessage({ died: complaint } satisfies Answer);
      }
      return false;
    },
  };
  try {
    if (!await exists(directory)) await create(directory, options);
    // Or the engine would make a new database in there, in place.
    if (!await exists(`${directory}/PG_VERSION`)) throw new Error("pgdata is not a database");
    const database = await PGlite.create({ ...options, fs: new DurableFS(directory) });
    isOpen = true;
    return database;
  } catch (error) {
    const message = messageOf(error);
    throw new Error([message, ...complaints].join("; "));
  }
}

async function create(directory: string, options: PGliteOptions): Promise<void> {
  const unfinished = `${directory}.new`;
  if (await exists(unfinished)) await Deno.remove(unfinished, { recursive: true });
  await Deno.mkdir(unfinished, { mode: 0o700 });
  try {
    const database = await PGlite.create({ ...options, fs: new DurableFS(unfinished) });
    await database.close();
    await syncTree(unfinished);
  } catch (error) {
    // Or a disk that is too small stays full of it.
    await Deno.remove(unfinished, { recursive: true });
    throw error;
  }
  await Deno.rename(unfinished, directory);
  // The new name as well: what is stored from now on must not come back as unfinished.
  await sync(`${directory}/..`);
}

/** The engine's own, with writes that reach the disk before a commit is answered. */
const START_PARAMS = [
  ...PGlite.defaultStartParams.filter((param) => param !== "-F"),
  "-c",
  // Of the methods, the one that arrives at `stream_ops.fsync`.
  "wal_sync_method=fsync",
  // Of the log, a checkpoint keeps this much for reuse: the defaults are a large server's.
  "-c",
  "min_wal_size=32MB",
  "-c",
  "max_wal_size=64MB",
];

/** What Emscripten's file system is given beyond what the engine's types tell. */
interface EmscriptenNodeFS {
  NODEFS: { stream_ops: { fsync?(stream: { nfd: number }): number } };
  FS: { ErrnoError: new (errno: number) => Error };
}

/** WASI's number for an input/output error. */
const EIO = 29;

/** The directory as the engine's file system, with the `fsync` that Emscripten's leaves out. */
class DurableFS extends NodeFS {
  override async init(...args: Parameters<NodeFS["init"]>): ReturnType<NodeFS["init"]> {
    const { emscriptenOpts } = await super.init(...args);
    const addFsync = (module: unknown) => {
      const { NODEFS, FS } = module as EmscriptenNodeFS;
      NODEFS.stream_ops.fsync = ({ nfd }) => {
        try {
          fsyncSync(nfd);
          return 0;
        } catch {
          throw new FS.ErrnoError(EIO);
        }
      };
    };
    emscriptenOpts.preRun = [...emscriptenOpts.preRun ?? [], addFsync];
    return { emscriptenOpts };
  }
}

/** What WASI's numbers mean, where a person can do something about it. */
const ERRORS: Readonly<Record<number, string>> = {
  2: "Permission denied",
  19: "Disk quota exceeded",
  29: "Input/output error",
  51: "No space left on device",
  69: "Read-only file system",
};

/** The message of whatever was thrown: Emscripten's file system throws a number in an object. */
function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  const { errno } = error as { errno?: unknown };
  if (typeof errno !== "number") return String(error);
  return ERRORS[errno] ?? `file system error ${errno}`;
}

async function syncTree(directory: string): Promise<void> {
  for await (const { name, isDirectory } of Deno.readDir(directory)) {
    if (isDirectory) await syncTree(`${directory}/${name}`);
    else await sync(`${directory}/${name}`);
  }
  await sync(directory);
}

async function sync(path: string): Promise<void> {
  using file = await Deno.open(path);
  await file.sync();
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
