import { newRegistrationToken } from "../auth/registration_tokens.ts";
import { tokenDigest } from "../auth/token_digest.ts";
import { log } from "../log/logging.ts";
import type { Services } from "../services.ts";
import { checkId, checkText, optionalBoolean, optionalText, readFields } from "../http/body.ts";
import { HttpError, noContent, type RequestContext, unauthorized } from "../http/context.ts";

/**
 * `POST /api/codex-exec/register`: a new executor and its registration token, of which only the
 * bcrypt hash and the digest are kept: the digest to judge it by, the hash as the Go original has it,
 * whose rows are brought over as they are. With `direct` in the body the answer has the key pair of a direct
 * executor too, which can be had at no other time: the token's hash is what it is made of.
 */
export async function registerExecutor(
  { store, registrationTokens, directKeys }: Services,
  { req }: RequestContext,
): Promise<Response> {
  const userId = checkText(userIdOf(req), "X-User-Id", 256);
  const body = await readFields(req, ["display_name", "description", "default_cwd", "direct"]);
  const executor = {
    exe_id: `exe_${crypto.randomUUID()}`,
    user_id: userId,
    display_name: optionalText(body, "display_name", 256),
    description: optionalText(body, "description", 4096),
    default_cwd: optionalText(body, "default_cwd", 4096),
  };
  const isDirect = optionalBoolean(body, "direct");
  // While the store is away, nobody should first wait for a hash that cannot be kept.
  await store.ping();
  const registration_token = newRegistrationToken();
  const hash = await registrationTokens.hash(registration_token);
  await store.createExecutor(executor, hash, tokenDigest(registration_token));
  log.info("executor created", { exe_id: executor.exe_id, user_id: userId });
  return Response.json({
    exe_id: executor.exe_id,
    registration_token,
    ...isDirect && { direct: await directKeys.pairOf(executor.exe_id, hash) },
  }, { status: 201 });
}

/**
 * On whose behalf: `X-User-Id`, in UTF-8, whose bytes the runtime hands over as one character each.
 *
 * @throws {HttpError} 401 without one, as the original answers; 400 when it is not UTF-8
 */
function userIdOf(req: Request): string {
  const header = req.headers.get("x-user-id") ?? "";
  if (header === "") throw unauthorized("missing user").because("user_missing");
  const bytes = Uint8Array.from(header, (character) => character.charCodeAt(0));
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new HttpError(400, "X-User-Id must be UTF-8");
  }
}

/** `DELETE /api/codex-exec/executors/{exe_id}`: the executor, its bindings and its connection. */
export async function removeExecutor(
  { store, switchboard }: Services,
  { params }: RequestContext,
): Promise<Response> {
  const exeId = checkId(params.exe_id!, "exe_id");
  const existed = await store.deleteExecutor(exeId);
  if (existed) log.info("executor removed", { exe_id: exeId });
  switchboard.remove(exeId);
  return noContent();
}
