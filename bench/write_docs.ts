/**
 * `deno task bench:docs`: writes what was measured last into docs/performance.md, between the
 * comments that name each part.
 *
 * @module
 */
import {
  coldStartMarkdown,
  connectMarkdown,
  relaysMarkdown,
  scaleMarkdown,
  tlsMarkdown,
} from "./markdown.ts";
import { readResults } from "./results.ts";

const PAGE = new URL("../docs/performance.md", import.meta.url);

const { connect, relays, tls, scale, coldStart } = await readResults();
const parts: Record<string, string | undefined> = {
  relays: relays && relaysMarkdown(relays),
  connect: connect && connectMarkdown(connect),
  tls: tls && tlsMarkdown(tls),
  scale: scale && scaleMarkdown(scale),
  "cold-start": coldStart && coldStartMarkdown(coldStart),
};
let page = await Deno.readTextFile(PAGE);
for (const [name, text] of Object.entries(parts)) {
  if (text !== undefined) page = replacePart(page, name, text);
}
await Deno.writeTextFile(PAGE, page);

function replacePart(page: string, name: string, text: string): string {
  const [open, close] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`];
  const from = page.indexOf(open);
  const to = page.indexOf(close);
  if (from < 0 || to < from) throw new Error(`the page has no place for ${name}`);
  return `${page.slice(0, from + open.length)}\n\n${text}\n${page.slice(to)}`;
}
