import { secretsEqual } from "../auth/constant_time.ts";
import type { Config } from "../config.ts";
import { bearerToken, unauthorized } from "./http.ts";

/** Lets a request pass or throws the refusal. */
export type Guard = (config: Config, req: Request) => void;

/** For `/api/codex-exec/*`: the platform's internal secret. */
export const internalApi: Guard = (config, req) =>
  requireSecret(req, config.agentserverInternalSecret);

/** For `/metrics`: its own secret, where there is one, or the gateway API's. */
export const metricsReader: Guard = (config, req) => {
  if (config.metricsSecret !== undefined && holdsSecret(req, config.metricsSecret)) return;
  gatewayApi(config, req);
};

/** For `/api/exec-gateway/*`: its own secret, or the same when it has none. */
export const gatewayApi: Guard = (config, req) => requireSecret(req, config.internalSharedSecret);

/**
 * Whether a request carries the secret, in either of its places: what stands in the other one may be
 * somebody else's, a proxy's say.
 */
export function holdsSecret(req: Request, secret: string): boolean {
  // A secret that was left unset opens nothing, not even to who sends none.
  if (!secret) return false;
  const given = [req.headers.get("x-internal-secret"), bearerToken(req)];
  return given.map((text) => secretsEqual(text ?? "", secret)).includes(true);
}

function requireSecret(req: Request, secret: string): void {
  if (!holdsSecret(req, secret)) throw unauthorized("missing or wrong internal secret");
}
