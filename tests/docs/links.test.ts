import assert from "node:assert/strict";
import { anchors, asPage, type Page, pages, relativeLinks } from "./pages.ts";

/** What is wrong with a page's links, a line each. */
async function deadLinks(page: Page): Promise<string[]> {
  const dead: string[] = [];
  for (const link of relativeLinks(page)) {
    const problem = await problemOf(page, link);
    if (problem !== undefined) dead.push(`${page.path}: (${link}) ${problem}`);
  }
  return dead;
}

async function problemOf(page: Page, link: string): Promise<string | undefined> {
  if (link.startsWith("/")) return "is not relative";
  const [path, anchor] = link.split("#", 2) as [string, string?];
  const url = path === "" ? page.url : new URL(path, page.url);
  try {
    await Deno.stat(url);
  } catch {
    return "leads to no file";
  }
  if (anchor === undefined || !url.pathname.endsWith(".md")) return undefined;
  const target = all.find((other) => other.url.href === url.href);
  return target && anchors(target).has(anchor) ? undefined : "leads to no heading";
}

const all = await pages();

Deno.test("each link in a page leads to a file that is there, and to a heading that it has", async () => {
  assert.ok(all.length > 8, `${all.length} pages`);
  assert.ok(all.flatMap(relativeLinks).length > 20);
  assert.deepEqual((await Promise.all(all.map(deadLinks))).flat(), []);
});

Deno.test("a link that leads nowhere is found, and none is seen in code", async () => {
  const text = "# One `two`: 3.\n# Same\n# Same\n" +
    "[a](#one-two-3) [b](#same-1) [c](#same-2) [d](missing.md) [e](/etc) [f](https://x.example/y)\n" +
    "`[g](missing.md)`\n```md\n# In code\n[h](missing.md)\n```\n[i]: missing.md\n";
  const page = asPage(new URL("../../page.md", import.meta.url), text);
  assert.deepEqual([...anchors(page)], ["one-two-3", "same", "same-1"]);
  assert.deepEqual(relativeLinks(page), [
    "#one-two-3",
    "#same-1",
    "#same-2",
    "missing.md",
    "/etc",
    "missing.md",
  ]);
  const wrong = ["missing.md", "/etc", "README.md#never-written"];
  for (const link of wrong) assert.ok(await problemOf(page, link), link);
  assert.equal(await problemOf(page, "README.md#works-with"), undefined);
});
