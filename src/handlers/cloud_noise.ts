/**
 * The Noise rendezvous of codex from 0.142 on: `connect` hands a harness what it needs to reach an
 * executor end to end, `validate` tells the executor whether that harness may. The gateway holds the
 * executor's public key and signs; it has no part in the handshake itself.
 *
 * @module
 */
import { publicKeyDigest } from "../auth/public_key.ts";
import { log } from "../log/logging.ts";
import type { Services } from "../services.ts";
import { isFlatObject, type JsonObject, readJsonObject } from "../http/body.ts";
import { refuseRevoked, requireCapability, termsOf } from "./capability_auth.ts";
import { bearerToken, HttpError, type RequestContext } from "../http/context.ts";
import { requireAdmission } from "./admission.ts";
import { locateExecutor } from "./locate_executor.ts";
import { requiredPublicKey } from "./noise_profile.ts";
import { publicWsBase } from "../http/public_url.ts";
import { requireRegistrationToken } from "./registration_auth.ts";
import { executorLabel } from "../http/wording.ts";

/** How long a harness has to dial the URL and to finish its handshake, in seconds. */
const CONNECT_TTL_S = 60;

/**
 * How long `connect` may take in all, in milliseconds. codex 0.169 and 0.171 give each attempt 6 s, 0.160
 * some 7 s and 0.142 its only one 10 s (protocol.md section 1).
 */
const HOLD_MS = 5_500;

/** The longest authorization that an executor passes on, in bytes. */
const MAX_AUTHORIZATION_BYTES = 4096;

/** `POST /cloud/environment/{exe_id}/connect`. */
export async function connectHarness(
  services: Services,
  context: RequestContext,
): Promise<Response> {
  const { req, params } = context;
  const exe_id = params.exe_id!;
  const cap = await requireCapability(services, context, bearerToken(req), exe_id);
  const { turn_id, workspace_id } = cap;
  const harnessKey = requiredPublicKey(await readJsonObject(req), "harness_public_key");
  // While the store is away no executor can come back, and one that is here could not ask `validate`:
  // codex tries a 503 again, but gives a handshake up.
  await services.store.ping();
  const link = await locateExecutor(services, exe_id, context, {
    holdMs: HOLD_MS,
    needsStore: true,
    check(exeId, { kind, display_name }) {
      if (kind !== undefined && kind !== "noise") throw speaksNoNoise(exeId, display_name);
    },
  });
  await refuseRevoked(services, cap);
  // The live link's, not the newest: what has registered since may never dial in.
  const { registration } = link;
  if (registration?.kind !== "noise") throw speaksNoNoise(exe_id);
  requireAdmission(services, link, { turnId: turn_id, workspaceId: workspace_id });
  const { registration_id, security_profile, executor_public_key } = registration;
  const exp = Math.floor(Date.now() / 1000) + CONNECT_TTL_S;
  const ticket = await services.tickets.harness.seal({
    ticket_id: crypto.randomUUID(),
    exe_id,
    registration_id,
    ...termsOf(cap, exe_id),
    exp,
  });
  const harness_key_authorization = await services.tickets.keyAuthorization.seal({
    exe_id,
    registration_id,
    turn_id,
    key_digest: await publicKeyDigest(harnessKey),
    exp,
  });
  const base = publicWsBase(services.config, context);
  return Response.json({
    environment_id: exe_id,
    url: `${base}/bridge/${encodeURIComponent(exe_id)}?token=${ticket}`,
    security_profile,
    executor_registration_id: registration_id,
    executor_public_key,
    harness_key_authorization,
  });
}

function speaksNoNoise(exeId: string, displayName?: string): HttpError {
  return new HttpError(
    400,
    `${executorLabel(exeId, displayName)} does not speak Noise; point the harness at it by ` +
      "CODEX_EXEC_SERVER_URL (codex 0.140 or earlier, or any for a direct executor), or start codex " +
      "0.142 or later as the executor",
  ).because("release_does_not_fit");
}

/** `POST /cloud/environment/{exe_id}/validate`: yes or no, and for a no not why. */
export async function validateHarnessKey(
  services: Services,
  context: RequestContext,
): Promise<Response> {
  const { req, params } = context;
  const exeId = params.exe_id!;
  await requireRegistrationToken(services, context, exeId);
  const refusal = await findRefusal(services, exeId, await readJsonObject(req));
  if (refusal !== undefined) log.warn("harness key refused", { exe_id: exeId, reason: refusal });
  return Response.json({ valid: refusal === undefined });
}

/** Why the harness that the body names may not reach the executor; `undefined` when it may. */
async function findRefusal(
  { store, tickets, switchboard, revocations }: Services,
  exeId: string,
  body: JsonObject,
): Promise<string | undefined> {
  const { executor_registration_id, harness_public_key, harness_key_authorization } = body;
  if (
    typeof harness_key_authorization !== "string" ||
    harness_key_authorization.length > MAX_AUTHORIZATION_BYTES
  ) return "no authorization";
  const authorization = await tickets.keyAuthorization.open(harness_key_authorization);
  if (authorization === undefined) return "not signed here";
  if (authorization.exe_id !== exeId) return "for another executor";
  if (authorization.exp < Date.now() / 1000) return "expired";
  if (authorization.registration_id !== executor_registration_id) return "for another registration";
  const live = switchboard.find(exeId)?.registration?.registration_id;
  if (
    live !== executor_registration_id &&
    !await store.registrations.isLatest(exeId, executor_registration_id, live)
  ) return "for an earlier registration";
  if (
    !isFlatObject(harness_public_key) ||
    authorization.key_digest !== await publicKeyDigest(harness_public_key)
  ) return "for another key";
  if (await revocations.isRevoked(authorization.turn_id)) return "its turn was revoked";
  return undefined;
}
