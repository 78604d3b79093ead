/**
 * How a person calls this program's commands, for the lines that they are told to paste: the compiled
 * binary by its path, else the task, through npx where there is no Deno on the PATH.
 */
export function programName(): string {
  if (Deno.build.standalone) return Deno.execPath();
  const deno = /[\\/]_npx[\\/]/.test(Deno.execPath()) ? `npx -y deno@${Deno.version.deno}` : "deno";
  return `${deno} task cli`;
}
