import type { LastKnown } from "../model.ts";
import type { Services } from "../services.ts";
import type { ExecutorLink } from "../switchboard/executor_link.ts";
import { ExecutorHeldError, TooManyBridgesError } from "../switchboard/switchboard.ts";
import {
  refuseKnownRevoked,
  requireCapability,
  requireStillGood,
  type Revocable,
} from "./capability_auth.ts";
import { firstGood } from "../http/first_good.ts";
import {
  HttpError,
  type RequestContext,
  socketCredentials,
  unauthorized,
} from "../http/context.ts";
import { requireAdmission, tooManyBridges, turnOwner } from "./admission.ts";
import { locateExecutor } from "./locate_executor.ts";
import { requireClient, requireWebSocket, upgrade } from "../http/upgrade.ts";
import { executorLabel, timeText } from "../http/wording.ts";

/** How long a harness is held while its executor is on its way back, in milliseconds. */
const HOLD_MS = 8_000;

/** What to do where a ticket is no good any more. */
const CONNECT_AGAIN = "call connect again for another URL";

/** On whose behalf a bridge is opened. */
interface Caller extends Revocable {
  /** Where a ticket was shown: which it was, and the registration that it is for. */
  readonly ticket?: { readonly id: string; readonly exp: number; readonly registrationId: string };
}

/** `GET /bridge/{exe_id}`: a harness is joined to its executor. */
export async function bridge(services: Services, context: RequestContext): Promise<Response> {
  const exeId = context.params.exe_id!;
  const caller = await authorize(services, context, exeId);
  const link = await locateExecutor(services, exeId, context, {
    holdMs: HOLD_MS,
    check: (_, known) => requireKind(exeId, known, context, caller),
  });
  // The wait may have been long enough for the turn to be revoked meanwhile.
  refuseKnownRevoked(services, caller);
  requireFit(link, context, caller);
  requireAdmission(services, link, {
    turnId: caller.turn_id,
    workspaceId: caller.workspace_id,
  });
  return await join(services, context, link, caller);
}

async function authorize(
  services: Services,
  context: RequestContext,
  exeId: string,
): Promise<Caller> {
  const credentials = socketCredentials(context);
  if (credentials.length === 0) return await requireCapability(services, context, undefined, exeId);
  return await firstGood(
    credentials.map((credential) => () => judge(services, context, exeId, credential)),
  );
}

/** On whose behalf a credential opens the bridge, if it may. */
async function judge(
  services: Services,
  context: RequestContext,
  exeId: string,
  credential: string,
): Promise<Caller> {
  const { tickets } = services;
  if (!tickets.harness.looksLike(credential)) {
    return await requireCapability(services, context, credential, exeId);
  }
  const ticket = await tickets.harness.open(credential);
  if (ticket === undefined) {
    throw unauthorized(`bad ticket signature; ${CONNECT_AGAIN}`, "invalid_signature")
      .because("wrong_ticket");
  }
  context.subject.turnId = ticket.turn_id;
  if (ticket.exp < Date.now() / 1000) {
    throw unauthorized(`the ticket expired; ${CONNECT_AGAIN}`, "expired").because("ticket_expired");
  }
  if (ticket.exe_id !== exeId) {
    throw new HttpError(
      403,
      `the ticket is for another executor; call connect for ${executorLabel(exeId)}`,
    ).because("ticket_other_executor");
  }
  await requireStillGood(services, ticket, exeId, CONNECT_AGAIN);
  const { turn_id, workspace_id, iat, ticket_id: id, exp, registration_id: registrationId } =
    ticket;
  return { turn_id, workspace_id, iat, ticket: { id, exp, registrationId } };
}

/** Refuses a harness whose release cannot talk with the executor, and says which one can. */
function requireFit(link: ExecutorLink, context: RequestContext, caller: Caller): void {
  const { exeId, registration, kind } = link;
  const { ticket } = caller;
  if (ticket !== undefined && registration?.registration_id !== ticket.registrationId) {
    throw unauthorized(
      `the executor has registered anew since the ticket was made; ${CONNECT_AGAIN}`,
      "unexpected_executor_registration_id",
    ).because("registered_anew");
  }
  // One that dialled with its token directly may speak anything.
  requireKind(exeId, { kind: registration && kind }, context, caller);
}

/** The same by the kind of an executor that registered, connected or not. */
function requireKind(
  exeId: string,
  { kind, display_name }: Partial<LastKnown>,
  { url }: RequestContext,
  { ticket }: Caller,
): void {
  // Codex 0.131 to 0.140 adds it, and speaks relay frames.
  if (ticket !== undefined || url.searchParams.get("role") !== "harness") return;
  const label = executorLabel(exeId, display_name);
  if (kind === "noise") {
    throw new HttpError(
      400,
      `${label} speaks Noise: it needs a harness of codex 0.142 or later; start one and point it at ` +
        "the executor by CODEX_EXEC_SERVER_NOISE_REGISTRY_URL",
    ).because("release_does_not_fit");
  }
  if (kind === "exclusive") {
    throw new HttpError(
      400,
      `${label} speaks text, as codex 0.130 and direct executors do; leave role=harness out of the ` +
        "harness's URL, and for codex 0.130 start a harness of 0.130",
    ).because("release_does_not_fit");
  }
}

/** Joins the harness, unless it is not one: what was taken for it is given back then. */
async function join(
  services: Services,
  context: RequestContext,
  link: ExecutorLink,
  { turn_id, workspace_id, iat, ticket }: Caller,
): Promise<Response> {
  const { req, remote, arrivedAt } = context;
  const caller = { turnId: turn_id, workspaceId: workspace_id, issuedAt: iat, remote, arrivedAt };
  try {
    return await services.switchboard.open(caller, link, (connect) => {
      requireWebSocket(req);
      requireClient(req);
      if (ticket !== undefined && !services.usedTickets.use(ticket.id, ticket.exp)) {
        throw unauthorized(`the ticket was used before; ${CONNECT_AGAIN}`).because("ticket_used");
      }
      try {
        return upgrade(services, context, turnOwner(turn_id), connect);
      } catch (error) {
        if (ticket !== undefined) services.usedTickets.giveBack(ticket.id);
        throw error;
      }
    });
  } catch (error) {
    if (error instanceof TooManyBridgesError) throw tooManyBridges(link.exeId);
    throw error instanceof ExecutorHeldError ? held(link.exeId, error.since) : error;
  }
}

function held(exeId: string, since: Date | undefined): HttpError {
  return new HttpError(
    409,
    `${executorLabel(exeId)} is held by another session${
      since ? ` since ${timeText(since)}` : ""
    }; ` +
      "wait until that has ended and try again, or use another executor",
  ).because("executor_held");
}
