import { secretsEqual } from "../auth/constant_time.ts";
import type { Config } from "../config.ts";
import { bearerToken, unauthorized } from "./http.ts";

/** Lets a request pass or throws the refusal. */
export type Guard = (config: Config, req: Request) => void;

/** For `/api/codex-exec/*`: the platform's internal secret. */
export const internalApi: Guard = (config, req) =>
  requireSecret(req, config.agentserverInternalSecret);

/** For `/api/exec-gateway/*`: its own secret, or the same when it has none. */
export const gatewayApi: Guard = (config, req) => requireSecret(req, config.internalSharedSecret);

function requireSecret(req: Request, secret: string): void {
  const given = req.headers.get("x-internal-secret") ?? bearerToken(req);
  // A secret that was left unset opens nothing, not even to who sends none.
  if (!given || !secret || !secretsEqual(given, secret)) {
    throw unauthorized("missing or wrong internal secret");
  }
}
