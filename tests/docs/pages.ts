/**
 * The pages of the repository, and what a reader of one can click on.
 *
 * @module
 */

const ROOT = new URL("../../", import.meta.url);

/** What is made here and belongs to no commit; see `.gitignore`. */
const NOT_OURS = new Set([".git", ".cache", "data", "dist", "node_modules"]);

/** A page, without what stands in it as code. */
export interface Page {
  readonly url: URL;
  /** From the repository's root. */
  readonly path: string;
  readonly text: string;
  /** The text without blocks of code and without code in a line: no link and no heading is in these. */
  readonly prose: string;
}

/** Every page, whichever folder it is in. */
export async function pages(folder = ROOT): Promise<Page[]> {
  const found: Page[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (NOT_OURS.has(name)) continue;
    if (isDirectory) found.push(...await pages(new URL(`${name}/`, folder)));
    else if (name.endsWith(".md")) found.push(await readPage(new URL(name, folder)));
  }
  return found.sort((one, other) => one.path < other.path ? -1 : 1);
}

async function readPage(url: URL): Promise<Page> {
  return asPage(url, await Deno.readTextFile(url));
}

/** A text as a page. */
export function asPage(url: URL, text: string): Page {
  const prose = withoutBlocks(text).replace(/(`+)(?!`)[\s\S]*?[^`]\1(?!`)/g, "``");
  return { url, path: url.pathname.slice(ROOT.pathname.length), text, prose };
}

function withoutBlocks(text: string): string {
  return text.replace(/^( *)(```+|~~~+)[^\n]*\n[\s\S]*?^\1\2 *$/gm, "");
}

/** Where a page's links lead, as they are written; those to other sites left out. */
export function relativeLinks({ prose }: Page): string[] {
  const inLine = [...prose.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)/g)];
  const below = [...prose.matchAll(/^ {0,3}\[[^\]]+\]:\s*<?(\S+?)>?\s*$/gm)];
  const targets = [...inLine, ...below].map(([, target]) => target!);
  return targets.filter((target) => !/^[a-z][a-z0-9+.-]*:/i.test(target));
}

/** The anchors of a page's headings, as GitHub and its like make them. */
export function anchors({ text }: Page): Set<string> {
  const found = new Set<string>();
  for (const [, heading] of withoutBlocks(text).matchAll(/^#{1,6} +(.+?) *#*$/gm)) {
    const slug = heading!.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M} _-]/gu, "").replaceAll(" ", "-");
    let anchor = slug;
    for (let nth = 1; found.has(anchor); nth++) anchor = `${slug}-${nth}`;
    found.add(anchor);
  }
  return found;
}
