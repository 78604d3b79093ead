/**
 * `deno task reliability-docs`: writes the table in docs/reliability.md from the figures that the runs
 * of the reliability tests have left in `.cache/reliability.jsonl`.
 *
 * @module
 */
import { type Figure, FILE } from "./figures.ts";

const DOCS = new URL("../../../docs/reliability.md", import.meta.url);

const lines = (await Deno.readTextFile(FILE)).trimEnd().split("\n");
const figures = new Map<string, Figure>();
for (const figure of lines.map((line) => JSON.parse(line) as Figure)) {
  // The last one at full scale, else the last one.
  if (figure.full || figures.get(figure.what)?.full !== true) figures.set(figure.what, figure);
}
const rows = [...figures.values()]
  .toSorted((a, b) => a.what < b.what ? -1 : 1)
  .map(({ what, figure, full, at }) => [what, figure, full ? "full" : "CI's", at.slice(0, 10)]);
const table = [["What", "Figure", "Scale", "Measured"], ["---", "---", "---", "---"], ...rows]
  .map((row) => `| ${row.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`).join("\n");
const docs = await Deno.readTextFile(DOCS);
const marked = /(<!-- figures -->\n)[^]*?(<!-- \/figures -->)/;
if (!marked.test(docs)) throw new Error("docs/reliability.md has no place for the table");
await Deno.writeTextFile(DOCS, docs.replace(marked, `$1\n${table}\n\n$2`));
