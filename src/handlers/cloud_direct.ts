import { log } from "../log/logging.ts";
import type { Services } from "../services.ts";
import { parseJsonObject, readBytes } from "../http/body.ts";
import { requireSignedCall } from "./direct_auth.ts";
import { HttpError, type RequestContext } from "../http/context.ts";
import { publicWsBase } from "../http/public_url.ts";

/** What codex calls JSON-RPC as text on a websocket that is the executor's own. */
const TRANSPORT = "direct_jsonrpc_v1";

/** The largest body, in bytes: it has to be read before the signature can be judged. codex sends 33. */
const MAX_BODY_BYTES = 4096;

/**
 * `POST /cloud/environment/{exe_id}/direct/register`: what `codex exec-server --remote-transport direct`
 * calls before it dials in. Nothing is kept of it: the upgrade is signed with the same pair, so the URL
 * has no ticket, and a registration that another codex made for this executor stays as it is.
 */
export async function registerDirect(
  services: Services,
  context: RequestContext,
): Promise<Response> {
  const { req, params, remote, source } = context;
  const exeId = params.exe_id!;
  await services.arrivals.turn(source);
  const body = await readBytes(req, MAX_BODY_BYTES);
  const registrationId = await requireSignedCall(services, context, exeId, body);
  const { transport } = parseJsonObject(body);
  if (transport !== TRANSPORT) throw new HttpError(400, `transport must be "${TRANSPORT}"`);
  log.info("executor registered", { exe_id: exeId, kind: "exclusive", transport, remote });
  const url = `${publicWsBase(services.config, context)}/codex-exec/${encodeURIComponent(exeId)}`;
  services.awaitedDials.registered(exeId, url, remote);
  return Response.json({
    environment_id: exeId,
    registration_id: registrationId,
    url,
    transport,
  });
}
