/**
 * From a request to its answer: the route, the guard, the handler, and the shape of errors.
 *
 * @module
 */
import { BusyError } from "./auth/registration_tokens.ts";
import { clientAddress, sourceOf } from "./limits/client_address.ts";
import { watchClient } from "./http/upgrade.ts";
import { HttpError, restarting, type Subject, unavailable } from "./http/context.ts";
import { reasonOfStatus } from "./http/refusal_reason.ts";
import { adviceFor, MAX_MESSAGE, shown } from "./http/wording.ts";
import { log } from "./log/logging.ts";
import { parseTarget, pathAsShown } from "./http/request_target.ts";
import { findRoute, type Side } from "./routes.ts";
import type { Services } from "./services.ts";
import {
  DatabaseFullError,
  DatabaseReadOnlyError,
  DatabaseUnavailableError,
} from "./store/database.ts";
import { InvalidTextError } from "./store/store.ts";

/** How long an address that holds too many connections is asked to stay away, in seconds. */
const TOO_MANY_RETRY_AFTER_S = 5;

/** How long a full bcrypt queue asks callers to stay away, in seconds. */
const BUSY_RETRY_AFTER_S = 5;

/** How long a full disk asks callers to stay away, in seconds: somebody has to make room. */
const FULL_RETRY_AFTER_S = 30;

/** What says why a websocket, or the way to one, was refused; see `RejectionReason`. */
const REJECTION_HEADER = "x-codex-rendezvous-rejection-reason";

/**
 * Answers one request; never throws.
 *
 * @param side of the gateway, that it came in on
 * @param arrivedAt when it came, by `performance.now()`
 */
export async function dispatch(
  services: Services,
  side: Side,
  req: Request,
  info: Deno.ServeHandlerInfo<Deno.NetAddr>,
  arrivedAt = performance.now(),
): Promise<Response> {
  const remote = clientAddress(info.remoteAddr.hostname, req.headers, services.trustedProxies);
  let url: URL;
  try {
    url = parseTarget(req.url, req.headers.get("host"));
  } catch (error) {
    const refusal = asHttpError(error);
    services.refusals.note({ refusal, subject: {}, remote, source: sourceOf(remote) });
    return errorResponse(refusal, pathAsShown(req.url));
  }
  const response = await answer(services, side, req, url, remote, arrivedAt);
  // A codex that sends its next call into the kept-alive connection of a gateway that was replaced
  // meanwhile gives up (protocol.md section 6). Nobody should into that of one that stops.
  if (url.pathname.startsWith("/cloud/") || services.stopping.aborted && response.status !== 101) {
    response.headers.set("connection", "close");
  }
  return response;
}

async function answer(
  services: Services,
  side: Side,
  req: Request,
  url: URL,
  remote: string,
  arrivedAt: number,
): Promise<Response> {
  const { connections, refusals, stopping } = services;
  const source = sourceOf(remote);
  const isWithinLimit = connections.take(source);
  const subject: Subject = {};
  let path: string | undefined;
  try {
    if (!isWithinLimit) {
      throw unavailable(
        "too many connections from this address; close some of them, or try again in " +
          `${TOO_MANY_RETRY_AFTER_S} s`,
        TOO_MANY_RETRY_AFTER_S,
      ).because("too_many_connections");
    }
    const { route, params } = findRoute(req.method, url.pathname, side);
    path = route.path;
    subject.exeId = params.exe_id;
    if (route.joins) watchClient(req);
    if (route.joins && stopping.aborted) throw restarting();
    route.guard?.(services, { req, source });
    const context = { req, url, params, remote, source, arrivedAt, subject };
    const response = await route.handler(services, context);
    // It began to stop meanwhile: who was sent on would find the door shut.
    if (route.joins && stopping.aborted && response.ok) throw restarting();
    return response;
  } catch (error) {
    const refusal = asHttpError(error);
    refusals.note({ path, refusal, subject, remote, source });
    return errorResponse(refusal, url.pathname);
  } finally {
    if (isWithinLimit) connections.release(source);
  }
}

function asHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof BusyError) {
    return unavailable(error.message, BUSY_RETRY_AFTER_S).because("bcrypt_busy");
  }
  if (error instanceof InvalidTextError) return new HttpError(400, error.message);
  // The store has said in the log what it is about.
  if (error instanceof DatabaseFullError) {
    return unavailable("the database cannot write: its disk is full", FULL_RETRY_AFTER_S)
      .because("database_full");
  }
  if (error instanceof DatabaseReadOnlyError) {
    return unavailable("the store takes no writes now; try again shortly")
      .because("database_read_only");
  }
  if (error instanceof DatabaseUnavailableError) {
    return unavailable("the store does not answer; try again shortly").because("database_away");
  }
  log.error("a request failed", { error: error instanceof Error ? error.stack : `${error}` });
  return new HttpError(500, "internal error");
}

function errorResponse(
  { status, message, headers, rejection }: HttpError,
  pathname: string,
): Response {
  const text = isForCodex(pathname)
    ? shown(`${message}${adviceFor(status, message)}`, MAX_MESSAGE)
    : message;
  const error = pathname.startsWith("/cloud/")
    // Codex prints the code to its user: by the status, as wrong and unknown must look the same.
    ? { code: reasonOfStatus(status), message: text }
    : text;
  const said = rejection === undefined ? headers : { ...headers, [REJECTION_HEADER]: rejection };
  return Response.json({ error }, { status, headers: said });
}

/** Whether a refusal there is read by a model, or in an executor's log. */
function isForCodex(pathname: string): boolean {
  return /^\/(?:cloud|bridge|codex-exec)\//.test(pathname);
}
