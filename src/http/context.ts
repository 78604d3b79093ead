/**
 * HTTP in, HTTP out: what every handler shares.
 *
 * @module
 */
import type { Services } from "../services.ts";
import { reasonOfStatus, type RefusalReason } from "./refusal_reason.ts";

/** Whom a request turned out to be about, for the line that a refusal leaves. */
export interface Subject {
  /** The executor that was asked for, there or not. */
  exeId?: string;
  /** The turn, once its token has been found to be signed here. */
  turnId?: string;
}

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
  /** When the request came, by `performance.now()`: how long it may be held counts from there. */
  readonly arrivedAt: number;
  /** To be added to by whoever learns more. */
  readonly subject: Subject;
}

/** Answers a request; what it throws becomes the error answer. */
export type Handler = (
  services: Services,
  context: RequestContext,
) => Response | Promise<Response>;

/**
 * Why a connection was refused, in the words of OpenAI's own rendezvous: those of them that mean something
 * here. codex from 0.169 on writes them to its diagnostics and ignores any other; nothing else follows.
 *
 * Source: openai/codex, `rejection_reason` in codex-rs/exec-server.
 */
export type RejectionReason =
  | "expired"
  | "missing_signature"
  | "invalid_signature"
  | "invalid_secret"
  | "unexpected_executor_registration_id"
  | "pod_draining"
  | "unknown_route"
  | "route_unavailable";

/**
 * A refusal: its status and what the caller reads. Under `/cloud` and `/bridge` that is a model, which is
 * shown nothing else: the message says what was wrong and what to do about it.
 */
export class HttpError extends Error {
  override name = "HttpError";
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly rejection: RejectionReason | undefined;
  #reason: RefusalReason | undefined;

  /** @param rejection for the diagnostics of codex, where its own word fits */
  constructor(
    status: number,
    message: string,
    headers: Record<string, string> = {},
    rejection?: RejectionReason,
  ) {
    super(message);
    this.status = status;
    this.headers = headers;
    this.rejection = rejection;
  }

  /** Why, in one word that no caller sees, for the log and the metrics. */
  get reason(): RefusalReason {
    return this.#reason ?? reasonOfStatus(this.status);
  }

  /** Says why, where the status alone does not; returns itself. */
  because(reason: RefusalReason): this {
    this.#reason = reason;
    return this;
  }
}

/** 401, with the challenge that RFC 9110 section 15.5.2 asks for. */
export function unauthorized(message: string, rejection?: RejectionReason): HttpError {
  return new HttpError(401, message, { "www-authenticate": "Bearer" }, rejection);
}

/** 503 that says when to come again. */
export function unavailable(
  message: string,
  retryAfterSeconds = 1,
  rejection?: RejectionReason,
): HttpError {
  return new HttpError(503, message, { "retry-after": String(retryAfterSeconds) }, rejection);
}

/** The refusal of a gateway that stops: codex comes again, and finds the next one. */
export function restarting(): HttpError {
  return unavailable("the gateway is restarting; try again in a second", 1, "pod_draining")
    .because("restarting");
}

/** The token of `Authorization: Bearer <token>`, if there is one. */
export function bearerToken(req: Request): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(req.headers.get("authorization") ?? "")?.[1];
}

/**
 * The credentials of a websocket request: that of `Authorization: Bearer`, then that of `?token=`. With two,
 * one may be somebody else's, a proxy's say.
 */
export function socketCredentials({ req, url }: RequestContext): readonly string[] {
  const given = [bearerToken(req), url.searchParams.get("token") || undefined];
  return [...new Set(given)].filter((text) => text !== undefined);
}

/** Whether the caller asks for what was done to be told (RFC 7240). */
export function prefersRepresentation(req: Request): boolean {
  return /(?:^|[,;])\s*return=representation\s*(?:$|[,;])/i.test(req.headers.get("prefer") ?? "");
}

/** An answer without a body. */
export function noContent(): Response {
  return new Response(null, { status: 204 });
}
