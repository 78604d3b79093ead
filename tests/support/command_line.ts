// deno-lint-ignore-file no-console -- what it says is for who runs a program

/**
 * Runs a program by its command line.
 *
 * @param program what its arguments mean, how it is used, and what it does; it returns its exit code
 * @returns the exit code: 2 when the arguments are wrong, which is said, and 0 when help was asked for
 */
export async function runProgram<Options>(
  args: string[],
  { readOptions, usage, run }: {
    readonly readOptions: (args: string[]) => Options | "help";
    readonly usage: string;
    readonly run: (options: Options) => Promise<number>;
  },
): Promise<number> {
  let options: Options | "help";
  try {
    options = readOptions(args);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    return 2;
  }
  if (options === "help") {
    console.log(usage);
    return 0;
  }
  return await run(options);
}
