/**
 * Puts processes before everything else that the machine does, where this one may, so that what is measured
 * is theirs. Returns what takes it back.
 */
export async function first(...pids: number[]): Promise<AsyncDisposable> {
  const set = async (nice: number) => {
    // A priority is a thread's: those that come later have it from the one that made them.
    const threads = (await Promise.all(pids.map(threadsOf))).flat();
    await new Deno.Command("renice", {
      args: ["-n", String(nice), "-p", ...threads],
      stdout: "null",
      stderr: "null",
    }).output();
  };
  await set(-20);
  return {
    async [Symbol.asyncDispose]() {
      await set(0);
    },
  };
}

/** The ids of a process's threads; none when it has ended. */
async function threadsOf(pid: number): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(`/proc/${pid}/task`))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
