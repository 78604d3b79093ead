/**
 * `deno task works-with`: writes the README's table of tried releases from what the last run of
 * `deno task test:codex` left in `.cache/codex.xml`.
 *
 * @module
 */
const root = new URL("../../../", import.meta.url);
const report = await Deno.readTextFile(new URL(".cache/codex.xml", root));
const readme = await Deno.readTextFile(new URL("README.md", root));

/** The outcomes of each scenario on each database, by pair of releases. */
const pairs = new Map<string, Map<string, boolean[]>>();
for (const [, attributes, end] of report.matchAll(/<testcase ([^>]*?)(\/>|>[^]*?<\/testcase>)/g)) {
  const name = unescape(/name="([^"]*)"/.exec(attributes!)![1]!);
  const [, pair, scenario] = /^(executor [^,]+, harness \S+): (.*) \(\w+\)$/.exec(name) ?? [];
  if (pair === undefined || scenario === undefined || end!.includes("<skipped")) continue;
  const scenarios = pairs.get(pair) ?? new Map<string, boolean[]>();
  pairs.set(pair, scenarios);
  const passed = !/<(failure|error)/.test(end!);
  scenarios.set(scenario, [...scenarios.get(scenario) ?? [], passed]);
}

const names = [...pairs.keys()].sort(new Intl.Collator("en", { numeric: true }).compare);
const scenarios = [...new Set(names.flatMap((pair) => [...pairs.get(pair)!.keys()]))];
const rows = [
  ["", ...names],
  ["---", ...names.map(() => "---")],
  ...scenarios.map((scenario) => [
    scenario,
    ...names.map((pair) => outcome(pairs.get(pair)!.get(scenario))),
  ]),
];
const table = rows.map((row) => `| ${row.join(" | ")} |`).join("\n");
const marked = /(<!-- works-with -->\n)[^]*?(<!-- \/works-with -->)/;
if (!marked.test(readme)) throw new Error("README.md has no place for the table");
await Deno.writeTextFile(new URL("README.md", root), readme.replace(marked, `$1\n${table}\n\n$2`));

function outcome(runs: boolean[] | undefined): string {
  if (runs === undefined) return "";
  const passed = runs.filter(Boolean).length;
  return passed === runs.length ? "yes" : `${passed} of ${runs.length}`;
}

function unescape(text: string): string {
  return text.replaceAll("&apos;", "'").replaceAll("&quot;", '"').replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
