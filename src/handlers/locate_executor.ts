import { log } from "../log/logging.ts";
import type { LastKnown } from "../model.ts";
import type { Services } from "../services.ts";
import { InvalidTextError } from "../store/store.ts";
import type { ExecutorLink } from "../switchboard/executor_link.ts";
import { type HttpError, type RequestContext, restarting, unavailable } from "../http/context.ts";
import { executorLabel, timeText } from "../http/wording.ts";

/** How long after its socket closed an executor is expected back, in milliseconds. */
const RETURN_MS = 30_000;

/** The same for one that dials again of itself: an outage of its link may have been long. */
const RETURN_OF_ITSELF_MS = 300_000;

/** How long after its start a gateway expects the executors of the one before it, in milliseconds. */
const STARTED_LATELY_MS = 30_000;

/**
 * How lately the store must have seen an executor that this process has not, for it to be expected
 * here: a heartbeat and the time that it takes to come.
 */
const SEEN_LATELY_MS = 120_000;

/** What locating an executor needs of the server. */
interface Needs extends Pick<Services, "stopping" | "startedAt"> {
  readonly switchboard: Pick<
    Services["switchboard"],
    "find" | "waitFor" | "leftMsAgo" | "dialsAgain"
  >;
  readonly store: Pick<Services["store"], "getLastKnown">;
  readonly config: Pick<Services["config"], "databaseUrl">;
}

/** How an executor is waited for. */
export interface Waiting {
  /** How long the request may be held in all, in milliseconds. */
  readonly holdMs: number;
  /** Whether there is no use in waiting while the store does not answer. */
  readonly needsStore?: boolean;
  /**
   * Looks at what is known of an executor that is not connected.
   *
   * @throws {HttpError} when it will not do, whether it comes back or not
   */
  readonly check?: (exeId: string, known: LastKnown) => void;
}

/**
 * Finds the executor's link, waiting for one that is on its way back. The only way from an id to a
 * link, so that a link held by another replica would be found here too.
 *
 * @throws {HttpError} 503 when the executor is not connected, saying since when; what `check` throws
 * @throws {DatabaseUnavailableError} when it is not connected and `needsStore`
 * @throws {InvalidTextError} when it is not connected and no executor could have such an id
 */
export async function locateExecutor(
  services: Needs,
  exeId: string,
  { req, arrivedAt }: Pick<RequestContext, "req" | "arrivedAt">,
  { holdMs, needsStore = false, check }: Waiting,
): Promise<ExecutorLink> {
  const { switchboard, stopping } = services;
  let link = switchboard.find(exeId);
  if (link !== undefined) return link;
  const said = await askStore(services, exeId, needsStore);
  if (said.known !== undefined) check?.(exeId, said.known);
  if (isOnItsWayBack(services, exeId, said)) {
    const leftMs = Math.max(0, holdMs - (performance.now() - arrivedAt));
    link = await switchboard.waitFor(exeId, leftMs, AbortSignal.any([req.signal, stopping]));
  } else {
    // It may have come while the store was asked.
    link = switchboard.find(exeId);
  }
  if (link !== undefined) return link;
  throw stopping.aborted ? restarting() : notConnected(services, exeId, said);
}

/** What the store says of an executor. */
interface StoreSaid {
  /** Whether it said anything at all. */
  readonly isTold: boolean;
  /** Absent when there is no such executor. */
  readonly known?: LastKnown;
}

async function askStore({ store }: Needs, exeId: string, needsStore: boolean): Promise<StoreSaid> {
  try {
    return { isTold: true, known: await store.getLastKnown(exeId) };
  } catch (error) {
    if (needsStore || error instanceof InvalidTextError) throw error;
    log.warn("could not look up when an executor was seen", { exe_id: exeId, error: `${error}` });
    return { isTold: false };
  }
}

function isOnItsWayBack(
  { switchboard, startedAt, config }: Needs,
  exeId: string,
  { isTold, known }: StoreSaid,
): boolean {
  // Removed, perhaps by another process.
  if (isTold && known === undefined) return false;
  const leftMsAgo = switchboard.leftMsAgo(exeId);
  if (leftMsAgo !== undefined) {
    return leftMsAgo <= (switchboard.dialsAgain(exeId) ? RETURN_OF_ITSELF_MS : RETURN_MS);
  }
  // It may have been connected to the process before this one, or to one that shares the database and is
  // about to stop.
  const mayComeFromAnother = config.databaseUrl !== undefined ||
    Date.now() - startedAt <= STARTED_LATELY_MS;
  const seenAt = known?.last_seen_at;
  return mayComeFromAnother && seenAt !== undefined &&
    Date.now() - Date.parse(seenAt) <= SEEN_LATELY_MS;
}

/** What a model can do about it: it alone reads this. */
function notConnected({ switchboard }: Needs, exeId: string, said: StoreSaid): HttpError {
  const { isTold, known } = said;
  const label = executorLabel(exeId, known?.display_name);
  if (isTold && known === undefined) {
    const message = `there is no ${label} (any more); ask the platform which executor to use`;
    return unavailable(message, 1, "unknown_route").because("unknown_executor");
  }
  return unavailable(
    `${label} is not connected${
      sinceWhen(switchboard, exeId, said)
    }; start \`codex exec-server\` ` +
      "there, or wait until it is back, and try again",
    1,
    "route_unavailable",
  ).because("not_connected");
}

function sinceWhen(
  switchboard: Needs["switchboard"],
  exeId: string,
  { isTold, known }: StoreSaid,
): string {
  const leftMsAgo = switchboard.leftMsAgo(exeId);
  // Memory is exact, and has it sooner.
  if (leftMsAgo !== undefined) return ` since ${timeText(new Date(Date.now() - leftMsAgo))}`;
  const seenAt = known?.last_seen_at;
  if (seenAt !== undefined) return ` since ${timeText(new Date(seenAt))}`;
  return isTold ? " and never was" : "";
}
