/**
 * codex-exec-gateway: joins codex harnesses to the executors that dial in.
 *
 * @module
 */
if (import.meta.main) {
  // `deno task cli` is the command line alone, which serves for no words.
  const isCli = Deno.args[0] === "cli";
  const args = isCli ? Deno.args.slice(1) : Deno.args;
  const [command, ...rest] = args;
  // Loaded by need: a command of the command line should not wait for the server's modules.
  if (!isCli && (command === undefined || (command === "serve" && rest.length === 0))) {
    const { serve } = await import("./src/serve.ts");
    Deno.exit(await serve());
  }
  if (command === "join") {
    const { runJoin } = await import("./src/join/main.mjs");
    const { programName } = await import("./src/cli/program_name.ts");
    Deno.exit(await runJoin(rest, `${programName()} join`));
  }
  const { runCommand } = await import("./src/cli/run.ts");
  Deno.exit(await runCommand(args));
}
