/**
 * How a person calls this program's commands, for the lines that they are told to paste: the compiled
 * binary by its path, else the task, through npx where there is no Deno on the PATH. Without `-q` the task
 * would say each time what it runs.
 */
export function programName(): string {
  if (Deno.build.standalone) return Deno.execPath();
  const deno = /[\\/]_npx[\\/]/.test(Deno.execPath()) ? `npx -y deno@${Deno.version.deno}` : "deno";
  return `${deno} task -q cli`;
}

/**
 * How a person calls `join` on another machine: the binary by its name, for its path is of this machine; else
 * in a clone there, by the Node that npm brings. Deno would have to be fetched, and with it all that the
 * gateway is made of.
 */
export function joinProgramName(): string {
  return Deno.build.standalone ? "codex-exec-gateway join" : "node src/join";
}
