import { log } from "../log/logging.ts";
import type { Services } from "../services.ts";
import { ExecutorNotFoundError } from "../store/store.ts";
import { checkId, optionalBoolean, readFields, requiredText } from "../http/body.ts";
import {
  HttpError,
  noContent,
  prefersRepresentation,
  type RequestContext,
} from "../http/context.ts";

/** `POST /api/codex-exec/workspaces/{wid}/executors`: the workspace may reach the executor. */
export async function bindExecutor(
  { store }: Services,
  { req, params, subject }: RequestContext,
): Promise<Response> {
  const workspaceId = checkId(params.wid!, "workspace id");
  const body = await readFields(req, ["exe_id", "is_default"], ["name", "description"]);
  const exeId = checkId(requiredText(body, "exe_id", 128), "exe_id");
  subject.exeId = exeId;
  const isDefault = optionalBoolean(body, "is_default");
  try {
    await store.bindWorkspaceExecutor(workspaceId, exeId, isDefault);
  } catch (error) {
    if (error instanceof ExecutorNotFoundError) {
      throw new HttpError(404, `there is no executor ${exeId}`).because("unknown_executor");
    }
    throw error;
  }
  log.info("executor bound", { exe_id: exeId, workspace_id: workspaceId, is_default: isDefault });
  return Response.json({ status: "ok" }, { status: 201 });
}

/**
 * `GET /api/codex-exec/workspaces/{wid}/executors`: its executors, which are connected now, and over which
 * several machines fight.
 */
export async function listExecutors(
  { store, switchboard }: Services,
  { params }: RequestContext,
): Promise<Response> {
  const executors = await store.listWorkspaceExecutors(checkId(params.wid!, "workspace id"));
  return Response.json(executors.map((executor) => {
    const link = switchboard.find(executor.exe_id);
    const isConnected = link !== undefined;
    const contestedForMs = switchboard.contention.contestedForMs(executor.exe_id);
    // The original's platform reads the second.
    return {
      ...executor,
      connected: isConnected,
      is_online: isConnected,
      kind: link?.kind,
      contested_until: contestedForMs > 0
        ? new Date(Date.now() + contestedForMs).toISOString()
        : undefined,
    };
  }));
}

/** What an unbinding leaves as it is. */
const LEFT =
  "bridges that are up go on, and tokens that name the executor are good until they expire; revoke the turn " +
  "or the workspace to end them";

/**
 * `DELETE /api/codex-exec/workspaces/{wid}/executors/{exe_id}`: the binding, not the executor. Answers 204;
 * with `Prefer: return=representation` (RFC 7240) what is left: how many bridges, at this process, and in words.
 */
export async function unbindExecutor(
  { store, switchboard }: Services,
  { req, params }: RequestContext,
): Promise<Response> {
  const workspaceId = checkId(params.wid!, "workspace id");
  const exeId = checkId(params.exe_id!, "exe_id");
  const wasBound = await store.unbindWorkspaceExecutor(workspaceId, exeId);
  const left = switchboard.bridgesOf(workspaceId, exeId);
  if (wasBound) {
    log.info("executor unbound", {
      exe_id: exeId,
      workspace_id: workspaceId,
      bridges_left: left,
    });
  }
  if (!prefersRepresentation(req)) return noContent();
  return Response.json({
    workspace_id: workspaceId,
    exe_id: exeId,
    was_bound: wasBound,
    bridges_left: left,
    not_ended: LEFT,
  });
}
