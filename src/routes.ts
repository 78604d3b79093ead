/**
 * Every endpoint, in one table: nothing else dispatches.
 *
 * @module
 */
import { bridge } from "./handlers/bridge.ts";
import { registerDirect } from "./handlers/cloud_direct.ts";
import { registerConnection } from "./handlers/cloud_register.ts";
import { connectHarness, validateHarnessKey } from "./handlers/cloud_noise.ts";
import { codexExec } from "./handlers/codex_exec.ts";
import { connectedExecutors, revokeTurn } from "./handlers/exec_gateway.ts";
import {
  changeExecutor,
  listAllExecutors,
  replaceRegistrationToken,
  showExecutor,
} from "./handlers/executor_admin.ts";
import { registerExecutor, removeExecutor } from "./handlers/executors.ts";
import { gatewayApi, type Guard, internalApi, metricsReader } from "./handlers/internal_auth.ts";
import { revokeWorkspace } from "./handlers/revoke_workspace.ts";
import { healthz, readyz } from "./handlers/health.ts";
import { type Handler, HttpError } from "./http/context.ts";
import { metrics } from "./handlers/metrics.ts";
import { status } from "./handlers/status.ts";
import { bindExecutor, listExecutors, unbindExecutor } from "./handlers/workspaces.ts";

/**
 * Which endpoints answer: all of them, or, where the internal ones have a port of their own, one side's.
 * Probes are on both.
 */
export type Side = "all" | "public" | "internal";

/** An endpoint: what it answers to, who may call it, and what answers. */
export interface Route {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  readonly path: string;
  readonly pattern: URLPattern;
  /** Absent where the handler judges a credential of its own, or none is needed. */
  readonly guard?: Guard;
  readonly handler: Handler;
  /** Whether it joins peers: that a stopping gateway does no more. The rest it answers to the end. */
  readonly joins: boolean;
}

function route(method: Route["method"], path: string, handler: Handler, guard?: Guard): Route {
  const pattern = new URLPattern({ pathname: path });
  return { method, path, pattern, handler, guard, joins: JOINING.has(handler) };
}

const JOINING: ReadonlySet<Handler> = new Set([bridge, codexExec, connectHarness]);

/** The endpoints, those that are in somebody's way first. */
export const ROUTES: readonly Route[] = [
  route("GET", "/bridge/:exe_id", bridge),
  route("GET", "/codex-exec/:exe_id", codexExec),
  route("POST", "/cloud/environment/:exe_id/register", registerConnection),
  route("POST", "/cloud/executor/:exe_id/register", registerConnection),
  route("POST", "/cloud/environment/:exe_id/direct/register", registerDirect),
  route("POST", "/cloud/environment/:exe_id/connect", connectHarness),
  route("POST", "/cloud/environment/:exe_id/validate", validateHarnessKey),
  route("GET", "/healthz", healthz),
  route("GET", "/readyz", readyz),
  route("GET", "/metrics", metrics, metricsReader),
  route("GET", "/api/exec-gateway/connected", connectedExecutors),
  route("POST", "/api/exec-gateway/revoke-turn", revokeTurn, gatewayApi),
  route("POST", "/api/exec-gateway/revoke-workspace", revokeWorkspace, gatewayApi),
  route("POST", "/api/codex-exec/register", registerExecutor, internalApi),
  route("GET", "/api/codex-exec/status", status, internalApi),
  route("GET", "/api/codex-exec/executors", listAllExecutors, internalApi),
  route("GET", "/api/codex-exec/executors/:exe_id", showExecutor, internalApi),
  route("PATCH", "/api/codex-exec/executors/:exe_id", changeExecutor, internalApi),
  route("DELETE", "/api/codex-exec/executors/:exe_id", removeExecutor, internalApi),
  route(
    "POST",
    "/api/codex-exec/executors/:exe_id/registration-token",
    replaceRegistrationToken,
    internalApi,
  ),
  route("POST", "/api/codex-exec/workspaces/:wid/executors", bindExecutor, internalApi),
  route("GET", "/api/codex-exec/workspaces/:wid/executors", listExecutors, internalApi),
  route("DELETE", "/api/codex-exec/workspaces/:wid/executors/:exe_id", unbindExecutor, internalApi),
];

const PROBES: ReadonlySet<Handler> = new Set([healthz, readyz]);

/** What is for a platform and for operators, and for no executor or harness. */
const INTERNAL = /^\/(?:api|metrics|console)(?:\/|$)/;

const BY_SIDE: Readonly<Record<Side, readonly Route[]>> = {
  all: ROUTES,
  public: ROUTES.filter(({ path }) => !INTERNAL.test(path)),
  internal: ROUTES.filter(({ path, handler }) => INTERNAL.test(path) || PROBES.has(handler)),
};

/** The endpoint a request is for, and its path's parameters. */
export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

/**
 * Finds the endpoint. `HEAD` is answered wherever `GET` is (RFC 9110 section 9.3.2).
 *
 * @param pathname the path as it came, percent-encoded
 * @param side what is on the other one is unknown
 * @throws {HttpError} 404 for an unknown path, 405 naming the methods that the path allows, 400 for a
 * parameter that is not percent-encoded UTF-8
 */
export function findRoute(method: string, pathname: string, side: Side = "all"): Match {
  const allowed: string[] = [];
  for (const route of BY_SIDE[side]) {
    const groups = route.pattern.exec({ pathname })?.pathname.groups;
    if (groups === undefined) continue;
    if (route.method === method || (route.method === "GET" && method === "HEAD")) {
      return { route, params: decodeParams(groups) };
    }
    allowed.push(...route.method === "GET" ? ["GET", "HEAD"] : [route.method]);
  }
  if (allowed.length === 0) throw new HttpError(404, "there is nothing at this path");
  throw new HttpError(405, `this path allows ${allowed.join(", ")}`, { allow: allowed.join(", ") });
}

function decodeParams(groups: Record<string, string | undefined>): Record<string, string> {
  const params: Record<string, string> = {};
  for (const [name, value] of Object.entries(groups)) {
    try {
      params[name] = decodeURIComponent(value ?? "");
    } catch {
      throw new HttpError(400, `${name} in the path is not percent-encoded UTF-8`);
    }
  }
  return params;
}
