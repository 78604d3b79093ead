/**
 * The executors as whoever runs the gateway sees them: all, whatever workspace they are bound to.
 *
 * @module
 */
import { newRegistrationToken } from "../auth/registration_tokens.ts";
import { tokenDigest } from "../auth/token_digest.ts";
import { log } from "../log/logging.ts";
import type { AdminExecutor } from "../model.ts";
import type { Services } from "../services.ts";
import type { ExecutorChange } from "../store/executor_records.ts";
import { TOKEN_REPLACED } from "../switchboard/close_codes.ts";
import { checkId, optionalBoolean, optionalText, readFields } from "../http/body.ts";
import { HttpError, type RequestContext } from "../http/context.ts";

/** `GET /api/codex-exec/executors`: every executor, with its workspaces and whether it is connected. */
export async function listAllExecutors(services: Services): Promise<Response> {
  const executors = await services.store.executors.list();
  return Response.json(executors.map((executor) => withConnection(services, executor)));
}

/** `GET /api/codex-exec/executors/{exe_id}`. */
export async function showExecutor(
  services: Services,
  { params }: RequestContext,
): Promise<Response> {
  return Response.json(await described(services, checkId(params.exe_id!, "exe_id")));
}

/** `PATCH /api/codex-exec/executors/{exe_id}`: its name, its description, its directory. */
export async function changeExecutor(
  services: Services,
  { req, params }: RequestContext,
): Promise<Response> {
  const exeId = checkId(params.exe_id!, "exe_id");
  const body = await readFields(req, ["display_name", "description", "default_cwd"]);
  const change: ExecutorChange = {
    ..."display_name" in body && { display_name: optionalText(body, "display_name", 256) },
    ..."description" in body && { description: optionalText(body, "description", 4096) },
    ..."default_cwd" in body && { default_cwd: optionalText(body, "default_cwd", 4096) },
  };
  if (!await services.store.executors.update(exeId, change)) throw notFound(exeId);
  log.info("executor changed", { exe_id: exeId, changed: Object.keys(change) });
  return Response.json(await described(services, exeId));
}

/**
 * `POST /api/codex-exec/executors/{exe_id}/registration-token`: a new registration token. The old one ends,
 * and so does whoever is connected by it.
 */
export async function replaceRegistrationToken(
  { store, registrationTokens, directKeys, switchboard }: Services,
  { req, params }: RequestContext,
): Promise<Response> {
  const exeId = checkId(params.exe_id!, "exe_id");
  const isDirect = optionalBoolean(await readFields(req, ["direct"]), "direct");
  if (await store.executors.get(exeId) === undefined) throw notFound(exeId);
  const registration_token = newRegistrationToken();
  const hash = await registrationTokens.hash(registration_token);
  const digest = tokenDigest(registration_token);
  if (!await store.executors.replaceRegistrationToken(exeId, hash, digest)) throw notFound(exeId);
  log.info("registration token replaced", { exe_id: exeId });
  switchboard.expel(exeId, TOKEN_REPLACED);
  return Response.json({
    exe_id: exeId,
    registration_token,
    ...isDirect && { direct: await directKeys.pairOf(exeId, hash) },
  });
}

async function described(services: Services, exeId: string) {
  const executor = await services.store.executors.get(exeId);
  if (executor === undefined) throw notFound(exeId);
  return withConnection(services, executor);
}

function withConnection({ switchboard }: Services, executor: AdminExecutor) {
  const connection = switchboard.connectionOf(executor.exe_id);
  const contestedForMs = switchboard.contention.contestedForMs(executor.exe_id);
  return {
    ...executor,
    connected: connection !== undefined,
    ...connection !== undefined && {
      kind: connection.link.kind,
      remote: connection.remote,
      connected_since: isoTime(Date.now() - (performance.now() - connection.since)),
      bridges: connection.link.bridgeCount,
    },
    ...contestedForMs > 0 && { contested_until: isoTime(Date.now() + contestedForMs) },
  };
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

function notFound(exeId: string): HttpError {
  return new HttpError(404, `there is no executor ${exeId}`).because("unknown_executor");
}
