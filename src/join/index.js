/**
 * `node src/join`: the program of `join` where there is Node and no Deno.
 *
 * @module
 */
// No module syntax: which kind of file this is depends on what is around it.
import("./main.mjs").then(async ({ runJoin }) => {
  const { default: process } = await import("node:process");
  process.exit(await runJoin(process.argv.slice(2), "node src/join"));
});
