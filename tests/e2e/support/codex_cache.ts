/**
 * Fetches released codex binaries from npm, once, into `<repo>/.cache/codex/<version>/`.
 *
 * `deno install` does the fetching, so that the registry, its credentials (`.npmrc`,
 * `NPM_CONFIG_REGISTRY`), proxies, certificates and the check of the package's integrity are the
 * ones this machine is set up with, and nobody needs npm itself.
 */

import { fileURLToPath } from "node:url";
import { exists } from "../../support/files.ts";

const CACHE_DIR = fileURLToPath(new URL("../../../.cache/codex/", import.meta.url));

/** How long one download may take: a release is about 100 MB. */
const INSTALL_TIMEOUT_MS = 300_000;

const fetches = new Map<string, Promise<string>>();

/**
 * The native codex binary of one release: the vendored executable itself, not the node wrapper, so
 * that a signal sent to its process reaches codex.
 *
 * @param version a release such as `"0.130.0"`
 * @returns the absolute path of the executable, downloaded first when it is not in the cache
 * @throws Error when codex has no build for this machine, or when the download fails
 */
export function codexBinary(version: string): Promise<string> {
  let fetching = fetches.get(version);
  if (!fetching) {
    fetching = findOrInstall(version);
    fetches.set(version, fetching);
    // A failed download may be tried again by the next caller.
    fetching.catch(() => fetches.delete(version));
  }
  return fetching;
}

async function findOrInstall(version: string): Promise<string> {
  const home = CACHE_DIR + version;
  if (!await exists(home)) await install(version, home);
  const vendor = `${home}/node_modules/codex-native/vendor`;
  for await (const target of Deno.readDir(vendor)) {
    // Releases up to 0.13x keep it in `codex/`, later ones in `bin/`.
    for (const dir of ["bin", "codex"]) {
      const path = `${vendor}/${target.name}/${dir}/codex`;
      if (await exists(path)) return path;
    }
  }
  throw new Error(`codex ${version} has no codex binary under ${vendor}; delete ${home} and retry`);
}

/** Installs into a directory of its own, then renames: two test files may ask at the same time. */
async function install(version: string, home: string): Promise<void> {
  await Deno.mkdir(CACHE_DIR, { recursive: true });
  const temporary = await Deno.makeTempDir({ dir: CACHE_DIR, prefix: "install-" });
  try {
    const spec = `npm:@openai/codex@${version}-${platform()}`;
    await Deno.writeTextFile(
      `${temporary}/package.json`,
      JSON.stringify({ private: true, dependencies: { "codex-native": spec } }),
    );
    // A deno.json of its own keeps deno from taking the repository's for this package.
    await Deno.writeTextFile(`${temporary}/deno.json`, `{ "nodeModulesDir": "auto" }`);
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["install", "--no-lock"],
      cwd: temporary,
      env: { NO_COLOR: "1" },
      stdout: "null",
      stderr: "piped",
      signal: AbortSignal.timeout(INSTALL_TIMEOUT_MS),
    }).output();
    if (!success) {
      const said = new TextDecoder().decode(stderr).trim().slice(-2000);
      throw new Error(`could not fetch ${spec} from npm:\n${said}`);
    }
    await Deno.rename(temporary, home).catch(async (error) => {
      // Someone else finished first, with the same package.
      if (!await exists(home)) throw error;
    });
  } finally {
    await Deno.remove(temporary, { recursive: true }).catch(() => {});
  }
}

/** The suffix npm's `@openai/codex` versions carry for this machine. */
function platform(): string {
  const os = { linux: "linux", darwin: "darwin" }[Deno.build.os as string];
  const arch = { x86_64: "x64", aarch64: "arm64" }[Deno.build.arch];
  if (!os || !arch) throw new Error(`no codex build for ${Deno.build.os} ${Deno.build.arch}`);
  return `${os}-${arch}`;
}
