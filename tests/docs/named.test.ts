/**
 * What the gateway has and a page has to name.
 *
 * @module
 */
import assert from "node:assert/strict";
import { ConfigError, type Environment, loadConfigFromEnv } from "../../src/config.ts";
import { ROUTES } from "../../src/routes.ts";
import * as endings from "../../src/switchboard/close_codes.ts";
import { switchboardTest } from "../support/gateway.ts";
import { pages } from "./pages.ts";

/** The README and what it leads to. */
const told = (await pages()).filter(({ path }) => /^(?:README|docs\/.*)\.md$/.test(path));

Deno.test("the README is short", () => {
  const { text } = told.find(({ path }) => path === "README.md")!;
  assert.ok(text.split("\n").length <= 140);
});

Deno.test("each endpoint is named in a page", () => {
  const text = told.map(({ text }) => text).join("\n");
  const unnamed = ROUTES.map(({ method, path }) =>
    `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`
  ).filter((endpoint) => !text.includes(`\`${endpoint}\``) && !text.includes(`\`${endpoint}?`));
  assert.deepEqual(unnamed, []);
});

/** The variables in the tables of the pages, each with its default as it is written there. */
const variables = new Map(
  told.flatMap(({ text }) => [...text.matchAll(/^\| ((?:`CXG_\w+`(?:, )?)+) +\| (.+?) +\|/gm)])
    .flatMap(([, names, fallback]) =>
      [...names!.matchAll(/CXG_\w+/g)].map(([name]) => [name, fallback!] as const)
    ),
);

Deno.test("each variable that is read is in a table, and each that is in one is read", () => {
  const read = new Set<string>();
  const env: Environment = (name) => {
    read.add(name);
    return name === "CXG_PORT" ? "none" : undefined;
  };
  assert.throws(() => loadConfigFromEnv(env), ConfigError);
  assert.deepEqual([...variables.keys()].sort(), [...read].sort());
});

Deno.test("a variable that is set to the default which a page tells changes nothing", () => {
  const given = {
    CXG_CAPTOKEN_HMAC_SECRET: "a".repeat(32),
    CXG_AGENTSERVER_INTERNAL_SECRET: "b".repeat(32),
    // Without it nobody may say on which host.
    CXG_INTERNAL_PORT: "7070",
  };
  const load = (more: Record<string, string>) =>
    loadConfigFromEnv((name) => ({ ...given, ...more })[name]);
  const defaults = [...variables].filter(([, fallback]) => fallback.startsWith("`"));
  assert.ok(defaults.length > 10, `${defaults.length} defaults`);
  for (const [name, fallback] of defaults) {
    assert.deepEqual(load({ [name]: fallback.replaceAll("`", "") }), load({}), name);
  }
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
