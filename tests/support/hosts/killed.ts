// deno-lint-ignore-file no-console
/** Makes machines, starts something on one, says so, and waits to be killed. */
import { makeHosts } from "./hosts.ts";

const hosts = await makeHosts();
const [program, ...args] = hosts.harness.command(["sleep", "600"], "/");
const { pid } = new Deno.Command(program!, { args }).spawn();
console.log(JSON.stringify({ pid, device: hosts.own.link.device }));
await new Promise((resolve) => setTimeout(resolve, 600_000));
