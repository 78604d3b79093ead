/**
 * What the gateway has and a page has to name.
 *
 * @module
 */
import assert from "node:assert/strict";
import { ROUTES } from "../../src/routes.ts";
import * as endings from "../../src/switchboard/endings.ts";
import { switchboardTest } from "../support/gateway.ts";
import { pages } from "./pages.ts";

/** The README and what it leads to. */
const told = (await pages()).filter(({ path }) => /^(?:README|docs\/.*)\.md$/.test(path));

Deno.test("each endpoint is named in a page", () => {
  const text = told.map(({ text }) => text).join("\n");
  const unnamed = ROUTES.map(({ method, path }) =>
    `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`
  ).filter((endpoint) => !text.includes(`\`${endpoint}\``) && !text.includes(`\`${endpoint}?`));
  assert.deepEqual(unnamed, []);
});

Deno.test("each close code is in docs/protocol.md, with its reason and whether the peer may come again", () => {
  const page = told.find(({ path }) => path === "docs/protocol.md")!.text;
  const rows = [...page.matchAll(/^\| (\d{4}) \| (.+?) +\| `(\w+)` +\| (yes|no) /gm)]
    .map(([, code, reason, label, again]) => `${label} ${code} ${again} ${reason}`);
  const expected = Object.values(endings)
    .map(({ label, code, again, reason }) => `${label} ${code} ${again ? "yes" : "no"} ${reason}`);
  assert.deepEqual(rows.sort(), expected.sort());
});

switchboardTest(
  "each metric is named in a page, by its type in docs/metrics.md",
  async (gateway) => {
    const types = new Map<string, string>();
    for (const line of await gateway.samples("# TYPE ")) {
      const [, , name, type] = line.split(" ");
      types.set(name!, type!);
    }
    assert.ok(types.size > 20, `${types.size} metrics`);
    const text = told.map(({ text }) => text).join("\n");
    assert.deepEqual([...types.keys()].filter((name) => !text.includes(`\`${name}\``)), []);
    const page = told.find(({ path }) => path === "docs/metrics.md")!.text;
    for (const [, name, type] of page.matchAll(/^\| `(\w+)` +\| (\w+)/gm)) {
      assert.equal(type, types.get(name!), `docs/metrics.md says that ${name} is a ${type}`);
    }
  },
);
