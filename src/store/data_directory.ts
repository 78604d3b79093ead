/**
 * The directory that holds the embedded database, and the lock that keeps it to one process.
 *
 * @module
 */

import { DataDirectoryError, DataDirectoryInUseError } from "./database.ts";

/**
 * Makes `directory` if need be and locks it. The lock lasts until the returned file is closed; the
 * kernel lets go of it when the process dies, however it dies.
 *
 * @throws {DataDirectoryInUseError} when it is locked already
 * @throws {DataDirectoryError} when it cannot be made or written to
 */
export async function lockDataDirectory(directory: string): Promise<Deno.FsFile> {
  let file: Deno.FsFile | undefined;
  try {
    await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
    file = await Deno.open(`${directory}/lock`, { create: true, write: true, mode: 0o600 });
    if (await file.tryLock(true)) return file;
  } catch (error) {
    file?.close();
    const message = error instanceof Error ? error.message : String(error);
    throw new DataDirectoryError(`cannot use the data directory ${directory}: ${message}`);
  }
  file.close();
  throw new DataDirectoryInUseError(`the data directory ${directory} is in use by another process`);
}
