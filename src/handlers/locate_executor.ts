import { log } from "../logging.ts";
import type { Services } from "../services.ts";
import type { ExecutorLink } from "../switchboard/executor_link.ts";
import { restarting } from "./http.ts";

/** How long an executor that is on its way back is waited for: codex gives up at 10 s. */
const WAIT_MS = 8_000;

/** How long after its socket closed an executor counts as being on its way back, in milliseconds. */
const RETURN_WINDOW_MS = 30_000;

/**
 * How lately the store must have seen an executor that this process has not, for it to be expected
 * here: a heartbeat and the time that it takes to come.
 */
const SEEN_LATELY_MS = 120_000;

/**
 * Finds the executor's link, waiting for one that is on its way back. The only way from an id to a
 * link, so that a link held by another replica would be found here too.
 *
 * @param signal ends the waiting: the caller has gone
 * @returns `undefined` when the executor is not connected
 * @throws {HttpError} 503 when the gateway began to stop meanwhile
 */
export async function locateExecutor(
  services: Services,
  exeId: string,
  signal: AbortSignal,
): Promise<ExecutorLink | undefined> {
  const { registry, stopping } = services;
  const link = registry.lookup(exeId);
  if (link !== undefined) return link;
  if (!await isOnItsWayBack(services, exeId)) return undefined;
  const found = await registry.waitFor(exeId, WAIT_MS, AbortSignal.any([signal, stopping]));
  if (found === undefined && stopping.aborted) throw restarting();
  return found;
}

async function isOnItsWayBack(services: Services, exeId: string): Promise<boolean> {
  const { registry, store, startedAt, config } = services;
  const leftMsAgo = registry.leftMsAgo(exeId);
  if (leftMsAgo !== undefined) return leftMsAgo <= RETURN_WINDOW_MS;
  // It may have been connected to the process before this one, which may run yet.
  const mayComeFromAnother = config.databaseUrl !== undefined ||
    Date.now() - startedAt <= RETURN_WINDOW_MS;
  if (!mayComeFromAnother) return false;
  try {
    const seenAt = (await store.getExecutor(exeId))?.last_seen_at;
    return seenAt !== undefined && Date.now() - Date.parse(seenAt) <= SEEN_LATELY_MS;
  } catch (error) {
    log.warn("could not look up when an executor was seen", { exe_id: exeId, error: `${error}` });
    return false;
  }
}
