/** Whether the run is at the whole scale (`--full`), and not at one that fits CI. */
export const full: boolean = Deno.args.includes("--full");
