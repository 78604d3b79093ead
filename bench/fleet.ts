/**
 * Executors for a benchmark's gateway, and the URLs that they and their harnesses dial.
 *
 * @module
 */
import { newRegistrationToken } from "../src/auth/registration_tokens.ts";
import { deriveTickets } from "../src/auth/tickets.ts";
import { tokenDigest } from "../src/auth/token_digest.ts";
import { Store, type StoreOptions } from "../src/store/store.ts";
import { SECRETS } from "../tests/support/gateway.ts";
import type { GatewayProcess } from "../tests/support/gateway_process.ts";
import { register } from "../tests/support/relay.ts";
import type { HarnessEnd } from "./relays/load_generator.ts";

/** An executor in the database. */
export interface Seeded {
  readonly exe_id: string;
  readonly registration_id: string;
  readonly token: string;
}

/** How many are written at once: what the store's connections can take. */
const AT_ONCE = 50;

/**
 * Writes registered executors past the API, whose bcrypt would take a minute for a thousand. They may dial
 * in with the ticket that `register` would have given them, or register with their token.
 *
 * @param workspaceId binds each to this workspace, too
 */
export async function seed(
  options: StoreOptions,
  kind: "exclusive" | "relay",
  count: number,
  workspaceId?: string,
): Promise<readonly Seeded[]> {
  const store = await Store.open(options);
  try {
    const executors: Seeded[] = [];
    const addOne = async () => {
      const exe_id = `exe_${crypto.randomUUID()}`;
      const token = newRegistrationToken();
      const texts = { user_id: "bench", display_name: "", description: "", default_cwd: "" };
      await store.createExecutor({ exe_id, ...texts }, "no token fits", tokenDigest(token));
      const { registration_id } = (await store.registrations.make(exe_id, { kind }))!;
      if (workspaceId !== undefined) await store.bindWorkspaceExecutor(workspaceId, exe_id, false);
      executors.push({ exe_id, registration_id, token });
    };
    while (executors.length < count) {
      const more = Math.min(AT_ONCE, count - executors.length);
      await Promise.all(Array.from({ length: more }, addOne));
    }
    return executors;
  } finally {
    await store.close();
  }
}

/** The URLs that executors dial which have registered just now: those that were seeded end in time. */
export async function registeredUrls(
  gateway: GatewayProcess,
  kind: "exclusive" | "relay",
  executors: readonly Seeded[],
): Promise<readonly string[]> {
  const body = kind === "exclusive" ? { idempotency_id: "bench" } : undefined;
  return await Promise.all(executors.map(async ({ exe_id, token }) => {
    return (await register(gateway, { exe_id, registration_token: token }, body)).url;
  }));
}

/** The URLs that executors dial without registering first, soon after they were seeded. */
export async function executorUrls(
  gateway: GatewayProcess,
  kind: "exclusive" | "relay",
  executors: readonly Seeded[],
): Promise<readonly string[]> {
  const { executor } = await deriveTickets(new TextEncoder().encode(SECRETS.capToken));
  return await Promise.all(executors.map(async ({ exe_id, registration_id }) => {
    const ticket = await executor.seal({ exe_id, registration_id, kind });
    return `${gateway.wsUrl}/codex-exec/${exe_id}?token=${ticket}`;
  }));
}

/** A bridge to each of the executors. */
export function harnessEnds(
  gateway: GatewayProcess,
  kind: "exclusive" | "relay",
  executors: readonly Seeded[],
): Promise<readonly HarnessEnd[]> {
  const role = kind === "relay" ? "&role=harness" : "";
  return Promise.all(executors.map(async ({ exe_id }) => ({
    url: `${gateway.wsUrl}/bridge/${exe_id}?token=${await gateway.capToken(exe_id)}${role}`,
    stream: crypto.randomUUID(),
  })));
}
