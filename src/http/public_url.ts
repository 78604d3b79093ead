import type { Config } from "../config.ts";
import type { RequestContext } from "./context.ts";

/**
 * The `ws://` or `wss://` base of the URLs that the gateway hands out: the configured one, else the
 * host that the request was sent to: `wss` when the gateway serves TLS itself, or a proxy says that it came
 * by https.
 */
export function publicWsBase(
  { publicWsBaseUrl, tls }: Config,
  { req, url }: Pick<RequestContext, "req" | "url">,
): string {
  if (publicWsBaseUrl !== undefined) return publicWsBaseUrl;
  // Nobody's word is needed for it, and nobody's counts.
  if (tls !== undefined) return `wss://${url.host}`;
  const forwarded = req.headers.get("x-forwarded-proto")?.split(",")[0]?.trim().toLowerCase();
  const secure = (forwarded ?? url.protocol.slice(0, -1)) === "https";
  return `${secure ? "wss" : "ws"}://${url.host}`;
}
