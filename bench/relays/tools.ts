/**
 * What the benchmark is made of besides Deno: compiled and fetched into `.cache/bench`.
 *
 * @module
 */

const BENCH = new URL("../", import.meta.url).pathname;
const CACHE = new URL("../../.cache/bench/", import.meta.url).pathname;

/** The release of npm:ws that is measured. */
const WS = "ws@8.23.0";

/**
 * Compiles one of the Go programs, with Debian's packages `golang-go` and
 * `golang-nhooyr-websocket-dev`.
 *
 * @param source its directory under `bench`
 * @returns the path of the binary
 * @throws when there is no Go, or it does not compile
 */
export async function buildGo(source: string): Promise<string> {
  const binary = `${CACHE}${source.replaceAll("/", "_")}`;
  await run("go", ["build", "-o", binary, "."], {
    cwd: `${BENCH}${source}`,
    // Debian's libraries are not modules.
    env: { GO111MODULE: "off", GOPATH: "/usr/share/gocode" },
  });
  return binary;
}

/** Fetches npm:ws; returns the directory of the package. */
export async function fetchWs(): Promise<string> {
  const prefix = `${CACHE}${WS}`;
  const directory = `${prefix}/node_modules/ws`;
  if (!await isDirectory(directory)) {
    await Deno.mkdir(prefix, { recursive: true });
    await run("npm", ["install", "--silent", "--no-save", "--prefix", prefix, WS]);
  }
  return directory;
}

/** The first line that a program prints of itself, for the record. */
export async function versionOf(program: string, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(program, { args }).output();
  const text = new TextDecoder().decode(stdout.length > 0 ? stdout : stderr);
  return text.split("\n")[0]!.trim();
}

/** {@linkcode WS}, for the record. */
export const wsVersion = WS;

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch {
    return false;
  }
}

async function run(
  program: string,
  args: string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args, ...options }).output();
  if (!success) throw new Error(`${program} failed: ${new TextDecoder().decode(stderr)}`);
}
