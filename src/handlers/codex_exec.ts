import { isSigned } from "../auth/sigv4.ts";
import type { Registration } from "../model.ts";
import type { Services } from "../services.ts";
import {
  HttpError,
  type RequestContext,
  socketCredentials,
  unauthorized,
  unavailable,
} from "../http/context.ts";
import { requireSignedUpgrade } from "./direct_auth.ts";
import { firstGood } from "../http/first_good.ts";
import { checkRegistrationToken } from "./registration_auth.ts";
import { requireWebSocket, upgrade } from "../http/upgrade.ts";
import { executorLabel } from "../http/wording.ts";

/** When an executor whose earlier connections do not read may come again, in seconds. */
const BEHIND_RETRY_AFTER_S = 30;

/** codex registers afresh then, and dials the URL that it is given. */
const TICKET_ENDED = "the ticket in the URL has ended; call register for another";

/** How an executor's socket came. */
interface Origin {
  /** Absent when it dialled with its registration token directly. */
  readonly registration?: Registration;
  /** The bcrypt hash of the registration token that it all comes from. */
  readonly tokenHash: string;
  /**
   * Uses its credential up, where it is good once.
   *
   * @returns gives it back, should the request fail
   * @throws {HttpError} when it was used before
   */
  readonly useUp?: () => () => void;
}

/** `GET /codex-exec/{exe_id}`: an executor dials in and stays. */
export async function codexExec(services: Services, context: RequestContext): Promise<Response> {
  const { req, params, remote } = context;
  const exeId = params.exe_id!;
  const credentials = socketCredentials(context);
  // What is signed has no token beside it: with one, somebody on the way has signed.
  const isDirect = credentials.length === 0 && isSigned(req);
  if (credentials.length === 0 && !isDirect) throw tokenMissing();
  await services.arrivals.turn(context.source);
  const origin = isDirect
    ? await requireSignedUpgrade(services, context, exeId)
    : await authenticate(services, context, exeId, credentials);
  services.awaitedDials.dialled(exeId);
  requireWebSocket(req);
  const owner = `executor ${exeId}`;
  if (services.openSockets.isRefused(owner)) {
    throw unavailable(
      `too many connections of ${executorLabel(exeId)} have stopped reading; stop their ` +
        `processes, or wait ${BEHIND_RETRY_AFTER_S} s and try again`,
      BEHIND_RETRY_AFTER_S,
    ).because("peers_stopped_reading");
  }
  refuseContested(services, exeId);
  const giveBack = origin.useUp?.();
  try {
    return upgrade(services, context, owner, (socket) => {
      const { registration, tokenHash } = origin;
      const arrival = { exeId, registration, proof: tokenHash, remote };
      socket.whenOpen(() => services.switchboard.dialIn(arrival, socket));
    });
  } catch (error) {
    giveBack?.();
    throw error;
  }
}

/**
 * Refuses a newcomer while the executor is contested and has a connection.
 *
 * @throws {HttpError} 409: each codex comes again then, ever more slowly
 */
function refuseContested({ switchboard }: Services, exeId: string): void {
  const ms = switchboard.refusesNewcomersForMs(exeId);
  if (ms === 0) return;
  throw new HttpError(
    409,
    `${executorLabel(exeId)} is connected already, and several machines use its registration ` +
      "token: give each machine an executor and a token of its own",
    { "retry-after": String(Math.ceil(ms / 1000)) },
  ).because("contested");
}

function tokenMissing(): HttpError {
  return new HttpError(
    400,
    "missing token; send the registration token as Authorization: Bearer, or dial the URL that " +
      "register answered with",
    {},
    "missing_signature",
  ).because("registration_token_missing");
}

/** One answer for an executor that does not exist and for a token that is not its own. */
function dialRefused(): HttpError {
  return unauthorized(
    "unknown executor or wrong token; call register again with the token that `executor add` " +
      "printed, and dial the URL that it answers with",
    "invalid_secret",
  );
}

/**
 * What the good one of the credentials stands for.
 *
 * @throws {HttpError} when none is
 */
async function authenticate(
  services: Services,
  context: RequestContext,
  exeId: string,
  credentials: readonly string[],
): Promise<Origin> {
  const { executor } = services.tickets;
  const tickets = credentials.filter((text) => executor.looksLike(text));
  const tokens = credentials.filter((text) => !executor.looksLike(text));
  // Tickets first: what stands beside a good one is not counted as a wrong token.
  const judges: (() => Promise<Origin>)[] = tickets.map((ticket) => () =>
    openTicket(services, exeId, ticket)
  );
  if (tokens.length > 0) {
    judges.push(async () => ({
      tokenHash: await checkRegistrationToken(services, context, exeId, tokens, dialRefused),
    }));
  }
  return await firstGood(judges);
}

/** @throws {HttpError} 401 when the ticket is another executor's, or none, or has ended */
async function openTicket(
  { store, tickets, switchboard }: Services,
  exeId: string,
  text: string,
): Promise<Origin> {
  const ticket = await tickets.executor.open(text);
  if (ticket?.exe_id !== exeId) throw dialRefused().because("wrong_ticket");
  const found = await store.registrations.find(exeId, ticket.registration_id);
  if (found === undefined) throw dialRefused().because("ticket_expired");
  // The store may not have heard of a connection that lasts: it may have been away.
  const live = switchboard.find(exeId)?.registration?.registration_id;
  if (!found.isFresh && live !== ticket.registration_id) {
    throw unauthorized(TICKET_ENDED).because("ticket_expired");
  }
  return { registration: found.registration, tokenHash: found.tokenHash };
}
