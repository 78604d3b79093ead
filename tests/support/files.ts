/** What the tests make and keep, or may. */
export const CACHE: string = new URL("../../.cache/", import.meta.url).pathname;

/** Whether there is anything at a path; a link counts, wherever it leads. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * Makes a directory for an embedded database: beside the template that it is copied from, since a
 * thousand small files take seconds in a `/tmp` that is crowded.
 */
export async function makeDataDir(): Promise<string> {
  await Deno.mkdir(CACHE, { recursive: true });
  return await Deno.makeTempDir({ dir: CACHE, prefix: "data-" });
}
