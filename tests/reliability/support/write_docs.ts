/**
 * `deno task reliability-docs`: brings the table in docs/reliability.md up to date with the figures that the
 * runs of the reliability tests have left in `.cache/reliability.jsonl`. What was not measured again stays,
 * with its date.
 *
 * @module
 */
import { type Figure, FILE } from "./figures.ts";

const DOCS = new URL("../../../docs/reliability.md", import.meta.url);

const MARKED = /(<!-- figures -->\n)([^]*?)(<!-- \/figures -->)/;

const docs = await Deno.readTextFile(DOCS);
const written = MARKED.exec(docs)?.[2];
if (written === undefined) throw new Error("docs/reliability.md has no place for the table");
const lines = (await Deno.readTextFile(FILE)).trimEnd().split("\n");
const measured = lines.map((line) => JSON.parse(line) as Figure);
const figures = new Map<string, Figure>();
for (const figure of [...readTable(written), ...measured]) {
  // The last one at full scale, else the last one.
  if (figure.full || figures.get(figure.what)?.full !== true) figures.set(figure.what, figure);
}
const rows = [...figures.values()]
  .toSorted((a, b) => a.what < b.what ? -1 : 1)
  .map(({ what, figure, full, at }) => [what, figure, full ? "full" : "CI's", at.slice(0, 10)]);
const table = [["What", "Figure", "Scale", "Measured"], ["---", "---", "---", "---"], ...rows]
  .map((row) => `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`).join("\n");
await Deno.writeTextFile(DOCS, docs.replace(MARKED, `$1\n${table}\n\n$3`));

/** The figures of a table that was written before. */
function readTable(table: string): Figure[] {
  const rows = table.trim().split("\n").slice(2);
  return rows.map((row) => {
    const [what = "", figure = "", scale, at = ""] = row.replace(/^\| | \|$/g, "")
      .split(/ *(?<!\\)\| /).map((cell) => cell.trim().replaceAll("\\|", "|"));
    return { what, figure, full: scale === "full", at };
  });
}
