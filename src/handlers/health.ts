import { log } from "../log/logging.ts";
import type { Services } from "../services.ts";
import { DatabaseUnavailableError } from "../store/database.ts";
import { within } from "../time/within.ts";
import { restarting, unavailable } from "../http/context.ts";

/** How long a probe is kept waiting for the store, in milliseconds. */
const READY_TIMEOUT_MS = 1_800;

/** `GET /healthz`: the process serves. */
export function healthz(): Response {
  return new Response("ok");
}

/** `GET /readyz`: it joins peers, or another process on its port does, and the store answers. */
export async function readyz({ config, store, stopping }: Services): Promise<Response> {
  if (stopping.aborted && !config.sharePort) throw restarting();
  try {
    if (await within(READY_TIMEOUT_MS, store.ping())) return new Response("ok");
    log.warn("the database has not answered a probe in time", { ms: READY_TIMEOUT_MS });
  } catch (error) {
    // The rest the store has said.
    if (!(error instanceof DatabaseUnavailableError)) {
      log.warn("a probe of the database failed", { error: `${error}` });
    }
  }
  throw unavailable("the store does not answer").because("database_away");
}
