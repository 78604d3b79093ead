/** The guards of routes that are for the platform alone: each asks for a secret. */

import { secretsEqual } from "../auth/constant_time.ts";
import type { Services } from "../services.ts";
import { bearerToken, HttpError, type RequestContext, unauthorized } from "../http/context.ts";

/** Who asks, and where to count it if the secret is wrong. */
type Needs = Pick<Services, "config" | "wrongSecrets">;
type Asker = Pick<RequestContext, "req" | "source">;

/** Lets a request pass or throws the refusal. */
export type Guard = (services: Needs, asker: Asker) => void;

/** For `/api/codex-exec/*`: the platform's internal secret. */
export const internalApi: Guard = (services, asker) =>
  requireSecret(services, asker, [services.config.agentserverInternalSecret]);

/** For `/metrics`: its own secret, where there is one, or the gateway API's. */
export const metricsReader: Guard = (services, asker) => {
  const { metricsSecret, internalSharedSecret } = services.config;
  requireSecret(services, asker, [metricsSecret ?? "", internalSharedSecret]);
};

/** For `/api/exec-gateway/*`: its own secret, or the same when it has none. */
export const gatewayApi: Guard = (services, asker) =>
  requireSecret(services, asker, [services.config.internalSharedSecret]);

/**
 * Whether a request carries the secret, in either of its places: what stands in the other one may be
 * somebody else's, a proxy's say.
 */
export function holdsSecret(req: Request, secret: string): boolean {
  // A secret that was left unset opens nothing, not even to who sends none.
  if (!secret) return false;
  return given(req).map((text) => secretsEqual(text ?? "", secret)).includes(true);
}

function given(req: Request): (string | undefined)[] {
  return [req.headers.get("x-internal-secret") || undefined, bearerToken(req)];
}

/** @throws {HttpError} 401; 429 for a wrong one, after too many from where it comes from */
function requireSecret({ wrongSecrets }: Needs, asker: Asker, secrets: readonly string[]): void {
  const { req, source } = asker;
  if (secrets.map((secret) => holdsSecret(req, secret)).includes(true)) return;
  if (given(req).some((text) => text !== undefined)) {
    const seconds = wrongSecrets.count(source);
    if (seconds > 0) {
      throw new HttpError(
        429,
        `too many wrong internal secrets from this address; wait ${seconds} s, and send the right one`,
        { "retry-after": String(seconds) },
      ).because("too_many_wrong_secrets");
    }
    throw secretRefused().because("wrong_internal_secret");
  }
  throw secretRefused().because("secret_missing");
}

/** One answer for none and a wrong one. */
function secretRefused(): HttpError {
  return unauthorized("missing or wrong internal secret");
}
