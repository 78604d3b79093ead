import assert from "node:assert/strict";
import { ROUTES } from "../../src/routes.ts";
import { REASON_OF_STATUS } from "../../src/http/refusal_reason.ts";
import { dialIn } from "../support/exclusive.ts";
import { switchboardTest } from "../support/gateway.ts";

const page = await Deno.readTextFile(new URL("../../docs/api.md", import.meta.url));
const [table, ...sections] = page.split(/^## /m) as [string, ...string[]];
const api = sections.find((text) => text.startsWith("Bodies and answers of the API"))!;

/** The endpoints that begin the rows of a table. */
const endpoints = (text: string) =>
  [...text.matchAll(/^\| `([A-Z]+ [^`?]+)/gm)].map(([, endpoint]) => endpoint!).sort();

Deno.test("docs/api.md has a row for each endpoint, and no other; those of the API have two", () => {
  const routes = ROUTES.map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`)
    .sort();
  assert.deepEqual(endpoints(table), routes);
  assert.deepEqual(endpoints(api), routes.filter((route) => route.includes(" /api/")));
});

Deno.test("docs/api.md has each status of a refusal with its code", () => {
  const rows = [...page.matchAll(/^\| (\d{3}) +\| `(\w+)`/gm)].map(([, status, code]) => [
    Number(status),
    code,
  ]);
  // Of 499 nobody hears: who would have is gone.
  const known = Object.entries(REASON_OF_STATUS).map(([status, code]) => [Number(status), code]);
  assert.deepEqual(rows, known.filter(([status]) => status !== 499));
});

/** The keys that the page tells of an endpoint's answer, those that may be absent with a `?`. */
function told(endpoint: string): string[] {
  const row = api.split("\n").find((line) => line.startsWith(`| \`${endpoint}`))!;
  const shape = row.includes("#an-executor") ? api.slice(api.indexOf("### An executor")) : row
    .slice(row.lastIndexOf(" | "));
  return /\{(\w[\w?, ]+)\}/.exec(shape)![1]!.split(", ");
}

switchboardTest("answers have the keys that docs/api.md tells", async (gateway) => {
  const executor = await gateway.createExecutor();
  const { exe_id } = executor;
  const answersAsTold = async (endpoint: string, body?: object, headers = {}) => {
    const [method, path] = endpoint.split(" ") as [string, string];
    const at = path.replace("{exe_id}", exe_id).replace("{wid}", "ws_test")
      .replace(/workspace_id=$/, "$&ws_test");
    const response = await gateway.call(method, at, body, headers);
    assert.ok(response.ok, `${endpoint}: ${response.status}`);
    const answer = [await response.json()].flat()[0];
    const keys = told(endpoint);
    const all = keys.map((key) => key.replace("?", ""));
    assert.deepEqual(Object.keys(answer).filter((key) => !all.includes(key)), [], endpoint);
    assert.deepEqual(keys.filter((key) => !key.endsWith("?") && !(key in answer)), [], endpoint);
  };
  const prefer = { prefer: "return=representation" };
  await answersAsTold("POST /api/codex-exec/register", {}, { "x-user-id": "user_test" });
  await answersAsTold("GET /api/codex-exec/executors");
  await answersAsTold("GET /api/codex-exec/executors/{exe_id}");
  await answersAsTold("PATCH /api/codex-exec/executors/{exe_id}", { display_name: "laptop" });
  await answersAsTold("GET /api/codex-exec/status");
  await using _machine = await dialIn(gateway, executor);
  await answersAsTold("GET /api/codex-exec/workspaces/{wid}/executors");
  await answersAsTold("GET /api/exec-gateway/connected?workspace_id=");
  await answersAsTold("POST /api/exec-gateway/revoke-turn", { turn_id: "turn_1" }, prefer);
  await answersAsTold("POST /api/exec-gateway/revoke-workspace", { workspace_id: "w" }, prefer);
  await answersAsTold(
    "DELETE /api/codex-exec/workspaces/{wid}/executors/{exe_id}",
    undefined,
    prefer,
  );
});
