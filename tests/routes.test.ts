import assert from "node:assert/strict";
import { gatewayApi, internalApi } from "../src/handlers/internal_auth.ts";
import { HttpError } from "../src/http/context.ts";
import { findRoute, type Match, ROUTES } from "../src/routes.ts";

/** As the gateway does it: the path goes through `URL` first. */
function find(method: string, path: string): Match {
  return findRoute(method, new URL(`http://gateway.example${path}`).pathname);
}

function refusal(method: string, path: string, findIt = find): HttpError {
  try {
    findIt(method, path);
  } catch (error) {
    assert(error instanceof HttpError, `threw ${error}`);
    return error;
  }
  assert.fail(`${method} ${JSON.stringify(path)} was found`);
}

// The rows of protocol.md section 1 that the gateway serves now, and whose secret guards them.
const ENDPOINTS = [
  ["GET", "/healthz", undefined, {}],
  ["GET", "/readyz", undefined, {}],
  ["GET", "/codex-exec/exe_1", undefined, { exe_id: "exe_1" }],
  ["GET", "/bridge/exe_1", undefined, { exe_id: "exe_1" }],
  ["POST", "/cloud/executor/exe_1/register", undefined, { exe_id: "exe_1" }],
  ["POST", "/cloud/environment/exe_1/register", undefined, { exe_id: "exe_1" }],
  ["POST", "/cloud/environment/exe_1/direct/register", undefined, { exe_id: "exe_1" }],
  ["POST", "/api/codex-exec/register", internalApi, {}],
  ["GET", "/api/codex-exec/status", internalApi, {}],
  ["GET", "/api/codex-exec/executors", internalApi, {}],
  ["GET", "/api/codex-exec/executors/exe_1", internalApi, { exe_id: "exe_1" }],
  ["PATCH", "/api/codex-exec/executors/exe_1", internalApi, { exe_id: "exe_1" }],
  ["DELETE", "/api/codex-exec/executors/exe_1", internalApi, { exe_id: "exe_1" }],
  [
    "POST",
    "/api/codex-exec/executors/exe_1/registration-token",
    internalApi,
    { exe_id: "exe_1" },
  ],
  ["POST", "/api/codex-exec/workspaces/ws_1/executors", internalApi, { wid: "ws_1" }],
  ["GET", "/api/codex-exec/workspaces/ws_1/executors", internalApi, { wid: "ws_1" }],
  [
    "DELETE",
    "/api/codex-exec/workspaces/ws_1/executors/exe_1",
    internalApi,
    { wid: "ws_1", exe_id: "exe_1" },
  ],
  // It takes a capability token too, and judges what it gets itself.
  ["GET", "/api/exec-gateway/connected", undefined, {}],
  ["POST", "/api/exec-gateway/revoke-turn", gatewayApi, {}],
  ["POST", "/api/exec-gateway/revoke-workspace", gatewayApi, {}],
] as const;

for (const [method, path, guard, params] of ENDPOINTS) {
  Deno.test(`${method} ${path} has its endpoint, its guard and its parameters`, () => {
    const match = find(method, path);
    assert.equal(match.route.method, method);
    assert.equal(match.route.path.replaceAll(/:(\w+)/g, (_, name) => match.params[name]!), path);
    assert.equal(match.route.guard, guard);
    assert.deepEqual(match.params, params);
  });
}

Deno.test("every route below /api has the guard of its half, but for the one that takes tokens", () => {
  const guarded = ROUTES.filter(({ path }) =>
    path.startsWith("/api") && path !== "/api/exec-gateway/connected"
  );
  for (const { path, guard } of guarded) {
    assert.equal(guard, path.startsWith("/api/exec-gateway/") ? gatewayApi : internalApi, path);
  }
});

Deno.test("HEAD finds what GET finds, and nothing where there is no GET", () => {
  for (const path of ["/healthz", "/bridge/exe_1", "/api/exec-gateway/connected"]) {
    assert.equal(find("HEAD", path).route, find("GET", path).route);
  }
  assert.equal(refusal("HEAD", "/api/codex-exec/register").status, 405);
});

Deno.test("a wrong method is 405 with all the methods that the path allows", () => {
  for (
    const [method, path, allow] of [
      ["POST", "/healthz", ["GET", "HEAD"]],
      ["DELETE", "/bridge/exe_1", ["GET", "HEAD"]],
      ["GET", "/cloud/executor/exe_1/register", ["POST"]],
      ["GET", "/api/codex-exec/register", ["POST"]],
      ["POST", "/api/codex-exec/executors/exe_1", ["DELETE", "GET", "HEAD", "PATCH"]],
      ["PUT", "/api/codex-exec/workspaces/ws_1/executors", ["GET", "HEAD", "POST"]],
      ["OPTIONS", "/api/codex-exec/workspaces/ws_1/executors", ["GET", "HEAD", "POST"]],
      ["get", "/healthz", ["GET", "HEAD"]],
    ] as const
  ) {
    const { status, headers } = refusal(method, path);
    assert.equal(status, 405, `${method} ${path}`);
    assert.deepEqual(headers.allow?.split(", ").sort(), [...allow]);
  }
});

Deno.test("an unknown path is 404, whatever the method", () => {
  for (
    const path of [
      "/",
      "/healthz/",
      "/Healthz",
      "/healthzz",
      "//healthz",
      "/healthz//",
      "/bridge",
      "/bridge/",
      "/bridge//",
      "/bridge/exe_1/",
      "/bridge/exe_1/more",
      "/codex-exec//exe_1",
      "/cloud/executor//register",
      "/cloud/executor/exe_1",
      "/api",
      "/api/codex-exec/workspaces//executors",
      "/api/codex-exec/workspaces/ws_1/executors/",
      "/api/exec-gateway/connected/ws_1",
    ]
  ) {
    for (const method of ["GET", "POST", "DELETE", "PATCH"]) {
      assert.equal(refusal(method, path).status, 404, `${method} ${path}`);
    }
  }
});

Deno.test("parameters are percent-decoded, once, and a coded slash stays in its place", () => {
  for (
    const [coded, plain] of [
      ["exe%5F1", "exe_1"],
      ["a%20b", "a b"],
      ["%C3%BC", "ü"],
      ["ü", "ü"],
      ["a%2Fb", "a/b"],
      ["%2e%2e%2fhealthz", "../healthz"],
      ["a%252Fb", "a%2Fb"],
      ["a+b", "a+b"],
      ["%3Ftoken=x", "?token=x"],
      ["%00", "\0"],
    ] as const
  ) assert.deepEqual(find("GET", `/bridge/${coded}`).params, { exe_id: plain }, coded);
  const two = find("DELETE", "/api/codex-exec/workspaces/w%2F1/executors/e%2F1");
  assert.deepEqual(two.params, { wid: "w/1", exe_id: "e/1" });
});

Deno.test("a parameter that is not percent-encoded UTF-8 is 400", () => {
  for (const coded of ["%", "%z", "%zz", "%ff", "%C3", "%C3%28", "%ED%A0%80", "a%2"]) {
    assert.equal(refusal("GET", `/bridge/${coded}`).status, 400, coded);
  }
});

Deno.test("dot segments, coded or not, reach no other endpoint unguarded", () => {
  const dots = ["..", ".", "%2e%2e", "%2E.", ".%2e", "%2e"];
  for (const dot of dots) {
    assert.equal(refusal("GET", `/bridge/${dot}`).status, 404);
    assert.equal(refusal("GET", `/bridge/${dot}/`).status, 404);
    // Raw, as no URL parser has seen it.
    assert.equal(refusal("GET", `/bridge/${dot}`, findRoute).status, 404);
  }
  for (
    const path of [
      "/healthz/../api/codex-exec/workspaces/ws_1/executors",
      "/bridge/%2e%2e/api/codex-exec/workspaces/ws_1/executors",
      "/./api/codex-exec/workspaces/ws_1/executors",
      "/api\\codex-exec\\workspaces\\ws_1\\executors",
    ]
  ) {
    for (const findIt of [find, findRoute]) {
      assert.equal(findIt("GET", path).route.guard, internalApi, path);
    }
  }
});

Deno.test("slashes that are doubled or coded find no endpoint", () => {
  for (
    const path of [
      "//api/exec-gateway/connected",
      "/api//exec-gateway/connected",
      "/api%2Fexec-gateway%2Fconnected",
      "/api/exec-gateway%2Fconnected",
      "///healthz",
      "/%2Fhealthz",
    ]
  ) {
    assert.equal(refusal("GET", path).status, 404, path);
    assert.equal(refusal("GET", path, findRoute).status, 404, path);
  }
});

Deno.test("what is not a path is 404", () => {
  for (const path of ["", "*", "healthz", "example.org:443"]) {
    assert.equal(refusal("OPTIONS", path, findRoute).status, 404, path);
  }
});
