import { log } from "../logging.ts";
import type { Registration } from "../model.ts";
import type { Services } from "../services.ts";
import { checkText, type JsonObject, readJsonObject, requiredObject } from "./body.ts";
import { HttpError, type RequestContext } from "./http.ts";
import { publicWsBase } from "./public_url.ts";
import { registrationRefused, requireRegistrationToken } from "./registration_auth.ts";

/**
 * `POST /cloud/executor/{exe_id}/register` and `POST /cloud/environment/{exe_id}/register`: what a
 * released `codex exec-server --remote` calls before it dials in. It proves itself and learns the
 * websocket to dial, whose kind follows from the body.
 */
export async function registerConnection(
  services: Services,
  context: RequestContext,
): Promise<Response> {
  const { req, params, remote } = context;
  const exeId = params.exe_id!;
  await services.arrivals.turn(context.source);
  await requireRegistrationToken(services, context, exeId);
  const registration = registrationOf(await readJsonObject(req));
  const { registration_id, kind, security_profile } = registration;
  if (!await services.store.recordRegistration(exeId, registration)) throw registrationRefused();
  const ticket = await services.tickets.executor.seal({ exe_id: exeId, registration_id, kind });
  log.info("executor registered", { exe_id: exeId, kind, remote });
  const base = publicWsBase(services.config, context);
  return Response.json({
    id: exeId,
    executor_id: exeId,
    environment_id: exeId,
    url: `${base}/codex-exec/${encodeURIComponent(exeId)}?token=${ticket}`,
    ...security_profile !== undefined && {
      security_profile,
      executor_registration_id: registration_id,
    },
  });
}

/** What registers shows in its body (protocol.md section 3). */
function registrationOf(body: JsonObject): Registration {
  const registration_id = `reg_${crypto.randomUUID()}`;
  if ("security_profile" in body) {
    const { security_profile } = body;
    if (typeof security_profile !== "string" || security_profile === "") {
      throw new HttpError(400, "security_profile must be a non-empty string");
    }
    return {
      registration_id,
      kind: "noise",
      security_profile: checkText(security_profile, "security_profile", 128),
      executor_public_key: requiredObject(body, "executor_public_key"),
    };
  }
  return { registration_id, kind: "idempotency_id" in body ? "exclusive" : "relay" };
}
