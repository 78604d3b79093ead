/**
 * An `npx` that runs the Deno that runs the tests, with the packages that it has fetched: npm's registry
 * cannot be reached from their machines.
 *
 * @module
 */

const script = (denoDir: string) =>
  `#!/bin/sh
case "$1 $2" in
  "-y deno@${Deno.version.deno}") shift 2; DENO_DIR='${denoDir}' exec '${Deno.execPath()}' "$@" ;;
esac
echo "npx: there is only deno@${Deno.version.deno}: $*" >&2
exit 1
`;

/** Disposing removes it. */
export class StandInForNpx implements AsyncDisposable {
  private constructor(readonly directory: string) {}

  static async make(): Promise<StandInForNpx> {
    const directory = await Deno.makeTempDir({ prefix: "cxg-npx-" });
    const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] })
      .output();
    const { denoDir } = JSON.parse(new TextDecoder().decode(stdout));
    await Deno.writeTextFile(`${directory}/npx`, script(denoDir), { mode: 0o755 });
    return new StandInForNpx(directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.directory, { recursive: true });
  }
}
