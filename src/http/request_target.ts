/**
 * Where a request goes, judged as it came. A proxy before the gateway decides by that text which paths are
 * let through; a URL parser would resolve it first, so that another path is reached than the one that was
 * looked at: `/bridge/../api`, or `/healthz` at the host `x/api?`. The runtime (Deno 2.9.6) hands the text over
 * as it is, in `Request.url`: the scheme, the Host header or the authority, and the target.
 *
 * @module
 */
import { HttpError } from "./context.ts";

/** A DNS name, an IPv4 address, or an IPv6 address in brackets; and a port, perhaps. */
const PLAIN_HOST = /^(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;

const PARTS = /^https?:\/\/(?<authority>[^/?#\\]*)(?<path>\/[^?#]*)?(?:\?[^#]*)?$/i;

/** What a parser takes for a slash, a dot and a backslash, percent-encoded as often as one likes. */
const SLASH = "(?:/|%(?:25)*2f)";
const DOT = "(?:\\.|%(?:25)*2e)";
const DOT_SEGMENT = new RegExp(`${SLASH}${DOT}{1,2}(?:${SLASH}|$)`, "i");
const BACKSLASH = /\\|%(?:25)*5c/i;

/**
 * The URL of a request.
 *
 * @param text as the runtime gives it
 * @param host the Host header, if there is one
 * @throws {HttpError} 400 when it is not the path, or the host, that the text shows
 */
export function parseTarget(text: string, host: string | null): URL {
  if (host !== null && !isPlainHost(host)) {
    throw badTarget("the Host header must be a host and perhaps a port");
  }
  const { authority, path = "/" } = PARTS.exec(text)?.groups ?? {};
  if (authority === undefined || !isPlainHost(authority)) {
    throw badTarget("the request's target must be a path and perhaps a query");
  }
  if (host !== null && authority.toLowerCase() !== host.toLowerCase()) {
    throw badTarget("the request's target and its Host header name different hosts");
  }
  if (BACKSLASH.test(path) || DOT_SEGMENT.test(path)) {
    throw badTarget("the path must have no dot segments and no backslashes");
  }
  return new URL(text);
}

/** The path that the text shows, resolved by nobody. */
export function pathAsShown(text: string): string {
  return /^[a-z]+:\/\/[^/?#]*(\/[^?#]*)?/i.exec(text)?.[1] ?? "";
}

/** Whether it is, and stands for itself: `0x7f.1` would be 127.0.0.1. */
function isPlainHost(host: string): boolean {
  if (!PLAIN_HOST.test(host) || !URL.canParse(`http://${host}`)) return false;
  return host.startsWith("[") ||
    new URL(`http://${host}`).hostname === host.replace(/:\d+$/, "").toLowerCase();
}

function badTarget(message: string): HttpError {
  return new HttpError(400, message).because("bad_target");
}
