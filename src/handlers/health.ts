import { log } from "../logging.ts";
import type { Services } from "../services.ts";
import { unavailable } from "./http.ts";

/** `GET /healthz`: the process serves. */
export function healthz(): Response {
  return new Response("ok");
}

/** `GET /readyz`: the store answers too. */
export async function readyz({ store, stopping }: Services): Promise<Response> {
  if (stopping.aborted) throw unavailable("the gateway is stopping");
  try {
    await store.ping();
  } catch (error) {
    log.warn("the store does not answer", { error: `${error}` });
    throw unavailable("the store does not answer");
  }
  return new Response("ok");
}
