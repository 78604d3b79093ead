/**
 * `/cloud/*`: what a released `codex exec-server --remote` calls before it dials in.
 *
 * @module
 */
import { log } from "../logging.ts";
import type { Services } from "../services.ts";
import { type JsonObject, readJsonObject } from "./body.ts";
import { bearerToken, HttpError, type RequestContext, unauthorized } from "./http.ts";
import { publicWsBase } from "./public_url.ts";

/**
 * `POST /cloud/executor/{exe_id}/register` and `POST /cloud/environment/{exe_id}/register`: an
 * executor proves itself and learns the websocket to dial.
 */
export async function registerConnection(
  services: Services,
  context: RequestContext,
): Promise<Response> {
  const { req, params, remote } = context;
  const exeId = params.exe_id!;
  await authenticate(services, req, exeId);
  const registration = {
    registration_id: `reg_${crypto.randomUUID()}`,
    kind: kindOf(await readJsonObject(req)),
  };
  if (!await services.store.recordRegistration(exeId, registration)) throw refusal();
  const ticket = await services.tickets.mintExecutorTicket({ exe_id: exeId, ...registration });
  log.info("executor registered", { exe_id: exeId, kind: registration.kind, remote });
  const base = publicWsBase(services.config, context);
  return Response.json({
    id: exeId,
    executor_id: exeId,
    environment_id: exeId,
    url: `${base}/codex-exec/${encodeURIComponent(exeId)}?token=${ticket}`,
  });
}

async function authenticate(
  { store, registrationTokens }: Services,
  req: Request,
  exeId: string,
): Promise<void> {
  const token = bearerToken(req);
  if (token === undefined) throw unauthorized("missing registration token");
  const hash = await store.getRegistrationTokenHash(exeId);
  if (!await registrationTokens.verify(token, hash)) throw refusal();
}

/** One answer for an executor that does not exist and for a token that is not its own. */
function refusal(): HttpError {
  return unauthorized("unknown executor or wrong registration token");
}

/** Which release registers shows in its body: 0.130 sends an `idempotency_id`. */
function kindOf(body: JsonObject): "exclusive" {
  if ("idempotency_id" in body) return "exclusive";
  throw new HttpError(501, "this gateway serves codex 0.130 and executors that dial it directly");
}
