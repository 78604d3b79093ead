import { findRoute } from "../../src/routes.ts";

const exeId = `exe_${crypto.randomUUID()}`;

for (
  const [method, path] of [
    ["GET", `/bridge/${exeId}`],
    ["GET", `/codex-exec/${exeId}`],
    ["POST", `/cloud/environment/${exeId}/connect`],
    ["GET", "/healthz"],
    ["GET", "/api/codex-exec/workspaces/ws_bench/executors"],
  ] as const
) {
  Deno.bench(`${method} ${path.replace(exeId, "{exe_id}")}`, { group: "routes" }, () => {
    findRoute(method, path);
  });
}
