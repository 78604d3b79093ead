import {
  BadSignatureError,
  CapabilityTokenError,
  type CapPayload,
  ExpiredTokenError,
  verifyCapabilityToken,
} from "../auth/capability_token.ts";
import type { Services } from "../services.ts";
import { HttpError, type RequestContext, unauthorized } from "../http/context.ts";
import { shownId, shownIds } from "../http/wording.ts";

/** What to do where a token is no good. */
const ASK_FOR_ANOTHER = "ask the platform for a new capability token";

/**
 * What a capability token allows, when it allows this executor. An expired token is good for a turn that
 * goes on: one that has a bridge to this executor, or had one until just now, on this gateway. Its
 * harness was cut off and has no other token to come back with.
 *
 * @param context is told whose turn it is
 * @param token the credential, if there was one
 * @throws {HttpError} in the order of protocol.md section 1: 401 no token, malformed, bad signature or
 * expired; 403 another executor's; 401 its turn was revoked
 */
export async function requireCapability(
  services: Services,
  context: Pick<RequestContext, "subject">,
  token: string | undefined,
  exeId: string,
): Promise<CapPayload> {
  if (token === undefined) {
    throw unauthorized(
      `missing capability token; send it as Authorization: Bearer, or ${ASK_FOR_ANOTHER}`,
      "missing_signature",
    ).because("token_missing");
  }
  let cap: CapPayload;
  try {
    cap = await verify(services, context, token);
  } catch (error) {
    if (!(error instanceof ExpiredTokenError) || !await goesOn(services, error.payload, exeId)) {
      throw tokenRefused(error);
    }
    cap = error.payload;
  }
  if (!await allows(services, cap, exeId)) throw forbidden(services, cap, exeId);
  await refuseRevoked(services, cap);
  return cap;
}

/**
 * What a capability token says.
 *
 * @param context is told whose turn it is
 * @throws {HttpError} 401 when it is malformed, not signed with this gateway's secret, or expired
 */
export async function verifyCapability(
  services: Services,
  context: Pick<RequestContext, "subject">,
  token: string,
): Promise<CapPayload> {
  try {
    return await verify(services, context, token);
  } catch (error) {
    throw tokenRefused(error);
  }
}

async function verify(
  { config: { capTokenHmacSecret, capTokenHmacSecretPrevious, maxTokenTtlS } }: Services,
  { subject }: Pick<RequestContext, "subject">,
  token: string,
): Promise<CapPayload> {
  const by = (secret: Uint8Array<ArrayBuffer>) =>
    verifyCapabilityToken(token, secret, undefined, maxTokenTtlS);
  try {
    const cap = await by(capTokenHmacSecret).catch((error) => {
      const isOther = error instanceof BadSignatureError;
      if (isOther && capTokenHmacSecretPrevious) return by(capTokenHmacSecretPrevious);
      throw error;
    });
    subject.turnId = cap.turn_id;
    return cap;
  } catch (error) {
    if (error instanceof ExpiredTokenError) subject.turnId = error.payload.turn_id;
    throw error;
  }
}

/** Whether a turn, whose token has expired, goes on with this executor. */
async function goesOn(services: Services, cap: CapPayload, exeId: string): Promise<boolean> {
  return services.switchboard.goesOn(cap.turn_id, exeId) && await allows(services, cap, exeId);
}

async function allows(services: Services, cap: CapPayload, exeId: string): Promise<boolean> {
  return cap.allowsExeId(exeId) || await allowsByWorkspace(services, cap, exeId);
}

/** Whether a token that names no executor stands for its workspace's, and this is one of them now. */
async function allowsByWorkspace(
  { config, store }: Services,
  { exe_ids, workspace_id }: CapPayload,
  exeId: string,
): Promise<boolean> {
  if (!config.workspaceTokens || exe_ids.length > 0 || workspace_id === "") return false;
  return await store.isExecutorBound(workspace_id, exeId);
}

/** @returns the refusal; what is no fault of the token, as it is */
function tokenRefused(error: unknown): unknown {
  if (!(error instanceof CapabilityTokenError)) return error;
  const message = `${error.message}; ${ASK_FOR_ANOTHER}`;
  if (error instanceof ExpiredTokenError) {
    return unauthorized(message, "expired").because("token_expired");
  }
  if (error instanceof BadSignatureError) {
    return unauthorized(message, "invalid_signature").because("wrong_token_signature");
  }
  return unauthorized(message).because("token_malformed");
}

/** Whoever has the token can read in it what it allows. */
function forbidden({ config }: Services, { exe_ids }: CapPayload, exeId: string): HttpError {
  const allowed = exe_ids.length > 0
    ? `only ${shownIds(exe_ids)}`
    : config.workspaceTokens
    ? "only those bound to its workspace"
    : "none";
  return new HttpError(
    403,
    `the capability token does not allow executor ${shownId(exeId)}, ${allowed}; use what it ` +
      `allows, or ${ASK_FOR_ANOTHER}`,
  ).because("token_other_executor");
}

/** What of a token a revocation is by. */
export type Revocable = Pick<CapPayload, "turn_id" | "workspace_id" | "iat">;

/** @throws {HttpError} 401 when its turn was revoked, or its workspace since it was issued */
export async function refuseRevoked(services: Services, token: Revocable): Promise<void> {
  refuseKnownRevoked(services, token);
  if (await services.revocations.isRevoked(token.turn_id)) throw turnRevoked();
}

/** The same, as far as memory knows. */
export function refuseKnownRevoked(
  { revocations, revokedWorkspaces }: Services,
  { turn_id, workspace_id, iat }: Revocable,
): void {
  if (revocations.isKnown(turn_id)) throw turnRevoked();
  if (!revokedWorkspaces.isRevoked(workspace_id, iat)) return;
  throw unauthorized(
    `the workspace was revoked, and the capability token with it; stop here, and ${ASK_FOR_ANOTHER}`,
  ).because("workspace_revoked");
}

/**
 * What a ticket takes over from the capability token that it was made from, so that it is never good where the
 * token is not.
 */
export interface TokenTerms extends Revocable {
  /** When the token expires, in unix seconds. */
  readonly token_exp: number;
  /** Whether it names no executor, and stands for its workspace's. */
  readonly by_workspace: boolean;
}

/** The terms of a token that was let reach the executor. */
export function termsOf(cap: CapPayload, exeId: string): TokenTerms {
  const { turn_id, workspace_id, iat, exp } = cap;
  return { turn_id, workspace_id, iat, token_exp: exp, by_workspace: !cap.allowsExeId(exeId) };
}

/**
 * Refuses a ticket whose token would be refused by now.
 *
 * @param again what to do about it
 * @throws {HttpError} 401, 403
 */
export async function requireStillGood(
  services: Services,
  terms: TokenTerms,
  exeId: string,
  again: string,
): Promise<void> {
  const { turn_id, workspace_id, token_exp, by_workspace } = terms;
  if (token_exp < Math.floor(Date.now() / 1000) && !services.switchboard.goesOn(turn_id, exeId)) {
    throw unauthorized(`the capability token expired; ${again}`, "expired")
      .because("token_expired");
  }
  if (by_workspace && !await services.store.isExecutorBound(workspace_id, exeId)) {
    throw new HttpError(
      403,
      `executor ${shownId(exeId)} is bound to the token's workspace no more; use another executor`,
    ).because("executor_unbound");
  }
  await refuseRevoked(services, terms);
}

/** The refusal of a revoked turn. */
function turnRevoked(): HttpError {
  return unauthorized(
    "the turn was revoked: it can run nothing more; stop here, and begin a new turn with a new " +
      "capability token",
  ).because("turn_revoked");
}
