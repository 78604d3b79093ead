import process from "node:process";

/** What a kernel that limits nothing says is a limit of more than any machine has, in bytes. */
const NO_LIMIT_FROM = 2 ** 50;

/**
 * How much memory the process may use, in bytes, by its control group: a container's limit, say. `undefined`
 * where there is none, and where it cannot be known, without `--allow-sys=systemMemoryInfo`.
 */
export function memoryLimit(): number | undefined {
  try {
    const limit = process.constrainedMemory();
    return limit > 0 && limit < NO_LIMIT_FROM ? limit : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}
