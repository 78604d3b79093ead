/**
 * `deno task check` runs this: who may import whom in `src`. A file may import from its own room and
 * from the lines below its room's, never from its own line or from above: so there is no circle.
 */

const LINES = [
  ["serve.ts"],
  ["server.ts", "cli"],
  ["dispatch.ts", "ports.ts", "send_away.ts"],
  ["routes.ts"],
  ["handlers"],
  ["services.ts"],
  ["http", "turns", "presence", "listeners"],
  ["switchboard", "config.ts"],
  ["tls"],
  ["data_dir"],
  ["store", "auth"],
  ["env"],
  ["log", "runtime", "limits", "metrics"],
  ["text", "time", "model.ts"],
];

/** Types that are known further up than they should be; nothing of these is there at run time. */
const KNOWN_TYPES = new Set([
  "http/context.ts > services.ts", // a request's context carries all that handlers need
  "http/upgrade.ts > services.ts",
  "log/logging.ts > config.ts", // how the log is configured
  "tls/server_certificate.ts > config.ts", // where the certificate is
  "runtime/close_socket.ts > switchboard/close_codes.ts", // the shape of an ending
]);

const SRC = new URL("../src/", import.meta.url);
const lineOf = new Map(LINES.flatMap((rooms, line) => rooms.map((room) => [room, line] as const)));

function* filesBelow(directory: URL): Generator<URL> {
  for (const entry of Deno.readDirSync(directory)) {
    if (entry.isDirectory) yield* filesBelow(new URL(`${entry.name}/`, directory));
    else if (entry.name.endsWith(".ts")) yield new URL(entry.name, directory);
  }
}

/** What is wrong with importing `to` in `from`, both paths from `src/`; undefined if nothing is. */
function wrongWith(from: string, to: string, isType: boolean): string | undefined {
  const [a, b] = [from.split("/")[0]!, to.split("/")[0]!];
  if (a === b || (isType && KNOWN_TYPES.has(`${from} > ${to}`))) return undefined;
  const [above, below] = [lineOf.get(a), lineOf.get(b)];
  if (above === undefined) return `src/${a} stands in no line of tests/rooms.ts: add it`;
  if (below === undefined) return `src/${b} stands in no line of tests/rooms.ts: add it`;
  if (above < below) return undefined;
  return `src/${from} imports src/${to}, but ${b} is not below ${a} in tests/rooms.ts`;
}

const wrong: string[] = [];
let imports = 0;
for (const file of filesBelow(SRC)) {
  const from = file.pathname.slice(SRC.pathname.length);
  const text = Deno.readTextFileSync(file);
  const specifiers =
    /^(?:import|export)( type)?\b[^;"]*?"(\.[^"]+\.ts)"|\bimport\("(\.[^"]+\.ts)"\)/gm;
  for (const [, type, still, later] of text.matchAll(specifiers)) {
    const target = new URL((still ?? later)!, file).pathname;
    if (!target.startsWith(SRC.pathname)) continue;
    imports++;
    const problem = wrongWith(from, target.slice(SRC.pathname.length), type !== undefined);
    if (problem !== undefined) wrong.push(problem);
  }
}
if (imports < 500) {
  wrong.push(`only ${imports} imports were seen: does tests/rooms.ts still read them?`);
}
// deno-lint-ignore no-console -- a check says what it found
for (const problem of new Set(wrong)) console.error(problem);
if (wrong.length > 0) Deno.exit(1);
