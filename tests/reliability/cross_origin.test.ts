/**
 * What a page of another origin gains from a gateway that its reader's browser can reach: nothing.
 *
 * @module
 */
import assert from "node:assert/strict";
import { databases } from "../support/databases.ts";
import { dialIn } from "../support/exclusive.ts";
import { SECRETS, startGateway } from "../support/gateway.ts";
import { hasChromium, runInPage } from "./support/chromium.ts";
import { report } from "./support/figures.ts";

/** What became of each thing the page tried. */
type Outcomes = Record<string, string>;

Deno.test({
  name: "a page of another origin in a real browser gains nothing",
  ignore: !hasChromium,
  async fn() {
    const database = await databases[0]!.create();
    try {
      await using gateway = await startGateway(database.options);
      const executor = await gateway.createExecutor();
      await using _machine = await dialIn(gateway, executor);
      const capability = await gateway.capToken(executor.exe_id);
      const refusedBefore = await refusals(gateway.url);
      const given = {
        http: gateway.url,
        ws: gateway.wsUrl,
        exe: executor.exe_id,
        secrets: { ...SECRETS, registration: executor.registration_token, capability },
      };
      const outcomes = await runInPage(
        `return await (${attack})(${JSON.stringify(given)});`,
      ) as Outcomes;
      const { control_fetch, control_websocket, cookies, ...attempts } = outcomes;
      // That the page can do all of this where it is let.
      assert.equal(control_fetch, "read 200");
      assert.equal(control_websocket, "open");
      assert.equal(cookies, "5", "cookies are not told apart by port: the gateway gets them");
      assert.ok(Object.keys(attempts).length >= 20, JSON.stringify(outcomes));
      for (const [attempt, outcome] of Object.entries(attempts)) {
        assert.match(outcome, /^(nothing|closed)$/, attempt);
      }
      assert.ok(await refusals(gateway.url) - refusedBefore >= 10, "they reached the gateway");
      const path = "/api/codex-exec/workspaces/ws_test/executors";
      const bound = await (await gateway.call("GET", path)).json();
      assert.equal(bound.length, 1, "nothing was created or removed");
      await report(
        "what a page of another origin gained in Chromium, with every secret in its cookies",
        `nothing, in ${Object.keys(attempts).length} attempts`,
      );
    } finally {
      await database.dispose();
    }
  },
});

interface Given {
  http: string;
  ws: string;
  exe: string;
  secrets: Record<string, string>;
}

/** Runs in the page. */
async function attack({ http, ws, exe, secrets }: Given): Promise<Outcomes> {
  const outcomes: Outcomes = {};
  const page = globalThis as unknown as { document: { cookie: string; body: unknown } };
  for (const [name, value] of Object.entries(secrets)) {
    page.document.cookie = `${name}=${value}; path=/`;
  }
  outcomes.cookies = String(page.document.cookie.split("; ").length);
  /** Whether the page gets to see the answer. */
  const ask = async (url: string, init: RequestInit = {}) => {
    try {
      const response = await fetch(url, { credentials: "include", ...init });
      if (response.type === "opaque") return "nothing";
      return `read ${response.status}`;
    } catch {
      return "nothing";
    }
  };
  const dial = (url: string) =>
    new Promise<string>((resolve) => {
      const socket = new WebSocket(url);
      socket.onopen = () => resolve("open");
      socket.onclose = () => resolve("closed");
    });
  const gets = [
    "/healthz",
    "/metrics",
    "/api/exec-gateway/connected?workspace_id=ws_test",
    "/api/codex-exec/workspaces/ws_test/executors",
    `/bridge/${exe}`,
    `/codex-exec/${exe}`,
  ];
  for (const path of gets) {
    outcomes[`GET ${path}`] = await ask(http + path);
    outcomes[`GET ${path}, no-cors`] = await ask(http + path, { mode: "no-cors" });
  }
  const posts = [
    "/api/codex-exec/register",
    "/api/exec-gateway/revoke-turn",
    "/api/codex-exec/workspaces/ws_test/executors",
    `/cloud/environment/${exe}/register`,
    `/cloud/environment/${exe}/connect`,
  ];
  for (const path of posts) {
    const init = { method: "POST", body: `{"exe_id": "${exe}", "turn_id": "t"}` };
    outcomes[`POST ${path}`] = await ask(http + path, init);
    outcomes[`POST ${path}, no-cors`] = await ask(http + path, { ...init, mode: "no-cors" });
  }
  const remove = { method: "DELETE" };
  outcomes["DELETE"] = await ask(`${http}/api/codex-exec/executors/${exe}`, remove);
  // Even the right secret: the browser asks first, and is not let.
  const headers = { "x-internal-secret": secrets.internal!, "x-user-id": "mallory" };
  outcomes["DELETE with the secret"] = await ask(`${http}/api/codex-exec/executors/${exe}`, {
    ...remove,
    headers,
  });
  outcomes["POST with the secret"] = await ask(`${http}/api/codex-exec/register`, {
    method: "POST",
    headers,
  });
  outcomes["websocket to the executor"] = await dial(`${ws}/bridge/${exe}`);
  outcomes["websocket as the executor"] = await dial(`${ws}/codex-exec/${exe}`);
  outcomes.control_fetch = await ask("/elsewhere");
  outcomes.control_websocket = await dial(`${ws}/bridge/${exe}?token=${secrets.capability}`);
  return outcomes;
}

/** How many requests the gateway has refused. */
async function refusals(url: string): Promise<number> {
  const headers = { authorization: `Bearer ${SECRETS.shared}` };
  const text = await (await fetch(`${url}/metrics`, { headers })).text();
  const counts = [...text.matchAll(/^cxg_refusals_total\{.*\} (\d+)$/gm)];
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}
