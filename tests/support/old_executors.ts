import { newRegistrationToken, RegistrationTokens } from "../../src/auth/registration_tokens.ts";
import { Store, type StoreOptions } from "../../src/store/store.ts";
import type { CreatedExecutor } from "./gateway.ts";

/**
 * Creates executors as earlier gateways and the Go original left them, with a bcrypt hash and no
 * digest, so that bcrypt has to judge their tokens. No gateway may have the database open.
 *
 * @param token theirs; they share it, since each hash takes 60 ms
 */
export async function createOldExecutors(
  options: StoreOptions,
  count: number,
  token = newRegistrationToken(),
): Promise<CreatedExecutor[]> {
  using tokens = new RegistrationTokens();
  const hash = await tokens.hash(token);
  const store = await Store.open(options);
  try {
    return await Promise.all(Array.from({ length: count }, async () => {
      const exe_id = `exe_${crypto.randomUUID()}`;
      const texts = { user_id: "u", display_name: "", description: "", default_cwd: "" };
      await store.createExecutor({ exe_id, ...texts }, hash);
      return { exe_id, registration_token: token };
    }));
  } finally {
    await store.close();
  }
}

/** Creates one; see {@linkcode createOldExecutors}. */
export async function createOldExecutor(
  options: StoreOptions,
  token?: string,
): Promise<CreatedExecutor> {
  return (await createOldExecutors(options, 1, token))[0]!;
}
