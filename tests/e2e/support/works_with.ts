/**
 * `deno task works-with`: writes the tables of tried releases in docs/works-with.md, from what the last run
 * of `deno task test:codex` left in `.cache/codex.xml`.
 *
 * @module
 */
const root = new URL("../../../", import.meta.url);
const report = await Deno.readTextFile(new URL(".cache/codex.xml", root));
let page = await Deno.readTextFile(new URL("docs/works-with.md", root));

/** The outcomes of a table's tests, by row and column: one for each database. */
class Table {
  readonly #rows = new Map<string, Map<string, boolean[]>>();
  readonly #columns = new Set<string>();

  add(row: string, column: string, passed: boolean): void {
    this.#columns.add(column);
    const cells = this.#rows.get(row) ?? new Map<string, boolean[]>();
    this.#rows.set(row, cells.set(column, [...cells.get(column) ?? [], passed]));
  }

  /** In Markdown, its columns in the order of their releases. */
  toString(): string {
    const columns = [...this.#columns].sort(new Intl.Collator("en", { numeric: true }).compare);
    const rows = [...this.#rows].map(([row, cells]) => [
      row,
      ...columns.map((column) => outcome(cells.get(column))),
    ]);
    return [["", ...columns], ["---", ...columns.map(() => "---")], ...rows]
      .map((cells) => `| ${cells.join(" | ")} |`).join("\n");
  }
}

const scenarios = new Table();
const printedLines = new Table();
for (const [, attributes, end] of report.matchAll(/<testcase ([^>]*?)(\/>|>[^]*?<\/testcase>)/g)) {
  if (end!.includes("<skipped")) continue;
  const name = unescape(/name="([^"]*)"/.exec(attributes!)![1]!);
  const passed = !/<(failure|error)/.test(end!);
  const [, pair, scenario] = /^(executor [^,]+, harness \S+): (.*) \(\w+\)$/.exec(name) ?? [];
  if (pair !== undefined) scenarios.add(scenario!, pair, passed);
  const [, release, way] = /^(codex \S+), (.*): runs a command on another machine$/.exec(name) ??
    [];
  if (release !== undefined) printedLines.add(release, way!, passed);
}
put("works-with", scenarios);
put("printed-lines", printedLines);
await Deno.writeTextFile(new URL("docs/works-with.md", root), page);

/** Writes a table between its marks. */
function put(mark: string, table: Table): void {
  const marked = new RegExp(`(<!-- ${mark} -->\\n)[^]*?(<!-- /${mark} -->)`);
  if (!marked.test(page)) throw new Error(`docs/works-with.md has no place for the table ${mark}`);
  page = page.replace(marked, `$1\n${table}\n\n$2`);
}

function outcome(runs: boolean[] | undefined): string {
  if (runs === undefined) return "";
  const passed = runs.filter(Boolean).length;
  return passed === runs.length ? "yes" : `${passed} of ${runs.length}`;
}

function unescape(text: string): string {
  return text.replaceAll("&apos;", "'").replaceAll("&quot;", '"').replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}
