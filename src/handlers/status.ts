import config from "../../deno.json" with { type: "json" };
import type { Services } from "../services.ts";
import { within } from "../time/within.ts";

/** How long the store is waited for, in milliseconds. */
const STORE_TIMEOUT_MS = 1_500;

/** `GET /api/codex-exec/status`: what runs, and what is connected to it. */
export async function status({ switchboard, store, config: settings, startedAt }: Services) {
  const links = switchboard.connected();
  return Response.json({
    version: config.version,
    deno: Deno.version.deno,
    started_at: new Date(startedAt).toISOString(),
    database: settings.databaseUrl === undefined ? "embedded" : "postgresql",
    database_answers: await within(STORE_TIMEOUT_MS, store.ping()).catch(() => false),
    executors_connected: links.length,
    bridges: links.reduce((sum, { bridgeCount }) => sum + bridgeCount, 0),
  });
}
