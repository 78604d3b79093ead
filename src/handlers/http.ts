/**
 * HTTP in, HTTP out: what every handler shares.
 *
 * @module
 */
import type { Services } from "../services.ts";

/** One request, as a handler sees it. */
export interface RequestContext {
  readonly req: Request;
  readonly url: URL;
  /** The path's parameters, percent-decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** The client's address, for logs. */
  readonly remote: string;
  /** What the client is counted by; see `sourceOf`. */
  readonly source: string;
}

/** Answers a request; what it throws becomes the error answer. */
export type Handler = (
  services: Services,
  context: RequestContext,
) => Response | Promise<Response>;

/** A refusal: its status and what the caller reads. */
export class HttpError extends Error {
  override name = "HttpError";
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Record<string, string> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/** 401, with the challenge that RFC 9110 section 15.5.2 asks for. */
export function unauthorized(message: string): HttpError {
  return new HttpError(401, message, { "www-authenticate": "Bearer" });
}

/** 503 that says when to come again. */
export function unavailable(message: string, retryAfterSeconds = 1): HttpError {
  return new HttpError(503, message, { "retry-after": String(retryAfterSeconds) });
}

/** The refusal of a gateway that stops: codex comes again, and finds the next one. */
export function restarting(): HttpError {
  return unavailable("the gateway is restarting; try again in a second");
}

/** The token of `Authorization: Bearer <token>`, if there is one. */
export function bearerToken(req: Request): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(req.headers.get("authorization") ?? "")?.[1];
}

/** The credential of a websocket request: `Authorization: Bearer`, else `?token=`. */
export function socketCredential({ req, url }: RequestContext): string | undefined {
  return bearerToken(req) ?? (url.searchParams.get("token") || undefined);
}

/** An answer without a body. */
export function noContent(): Response {
  return new Response(null, { status: 204 });
}
