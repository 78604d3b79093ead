/**
 * The directory that holds the embedded database, and the lock that keeps it to one process.
 *
 * @module
 */

import { DataDirectoryError, DataDirectoryInUseError } from "./database.ts";
import { checkDataDirectory } from "./private_directory.ts";

/** How often a lock that is waited for is tried, in milliseconds. */
const RETRY_MS = 10;

/**
 * Makes `directory` if need be and locks it. The lock lasts until the returned file is closed; the
 * kernel lets go of it when the process dies, however it dies.
 *
 * @param waitMs how long to wait for a process that has it, in milliseconds
 * @throws {DataDirectoryInUseError} when it is still locked then
 * @throws {DataDirectoryError} when it cannot be made or written to, or others may write to it
 */
export async function lockDataDirectory(directory: string, waitMs = 0): Promise<Deno.FsFile> {
  const deadline = performance.now() + waitMs;
  const file = await openLockFile(directory, "lock");
  try {
    while (!await file.tryLock(true)) {
      if (performance.now() >= deadline) {
        throw new DataDirectoryInUseError(
          `the data directory ${directory} is in use by another process`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
    return file;
  } catch (error) {
    file.close();
    throw unusable(directory, error);
  }
}

/**
 * Waits until no other gateway that shares its port serves from `directory`, or has begun to stop. The
 * one that stops lets go of this lock first and of the database last: in between, its successor can
 * already listen.
 *
 * @param onWait called once when there is one to wait for
 * @returns the lock; closing it lets the next one in
 * @throws {DataDirectoryError} when the directory cannot be made or written to, or others may write to it
 */
export async function waitForTurnToServe(
  directory: string,
  onWait: () => void,
): Promise<Deno.FsFile> {
  const file = await openLockFile(directory, "serving.lock");
  try {
    if (!await file.tryLock(true)) {
      onWait();
      // The kernel wakes this process at once, also when the other one was killed.
      await file.lock(true);
    }
    return file;
  } catch (error) {
    file.close();
    throw unusable(directory, error);
  }
}

async function openLockFile(directory: string, name: string): Promise<Deno.FsFile> {
  try {
    await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
    checkDataDirectory(directory);
    return await Deno.open(`${directory}/${name}`, { create: true, write: true, mode: 0o600 });
  } catch (error) {
    throw unusable(directory, error);
  }
}

function unusable(directory: string, error: unknown): DataDirectoryError {
  if (error instanceof DataDirectoryError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new DataDirectoryError(`cannot use the data directory ${directory}: ${message}`);
}
