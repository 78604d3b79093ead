import { log } from "../log/logging.ts";
import type { Services } from "../services.ts";
import type { NewRegistration } from "../store/registrations.ts";
import { type JsonObject, readJsonObject } from "../http/body.ts";
import type { RequestContext } from "../http/context.ts";
import { isNoise, requiredNoise } from "./noise_profile.ts";
import { publicWsBase } from "../http/public_url.ts";
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
  const tokenHash = await requireRegistrationToken(services, context, exeId);
  const made = registrationOf(await readJsonObject(req));
  const registration = await services.store.registrations.make(exeId, made, tokenHash);
  if (registration === undefined) throw registrationRefused().because("wrong_registration_token");
  const { registration_id, kind, security_profile } = registration;
  const ticket = await services.tickets.executor.seal({ exe_id: exeId, registration_id, kind });
  log.info("executor registered", { exe_id: exeId, kind, remote });
  const url = `${publicWsBase(services.config, context)}/codex-exec/${encodeURIComponent(exeId)}`;
  services.awaitedDials.registered(exeId, url, remote);
  return Response.json({
    id: exeId,
    executor_id: exeId,
    environment_id: exeId,
    url: `${url}?token=${ticket}`,
    ...security_profile !== undefined && {
      security_profile,
      executor_registration_id: registration_id,
    },
  });
}

/** What registers shows in its body (protocol.md section 3). */
function registrationOf(body: JsonObject): NewRegistration {
  if (isNoise(body)) return { kind: "noise", ...requiredNoise(body) };
  return { kind: "idempotency_id" in body ? "exclusive" : "relay" };
}
