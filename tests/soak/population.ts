import { bcrypt } from "hash-wasm";
import { encodeHex } from "../../src/auth/base64url.ts";
import { Store, type StoreOptions } from "../../src/store/store.ts";
import { tokenDigest } from "../../src/auth/token_digest.ts";
import type { Random } from "../fuzz/random.ts";
import { WORKSPACE } from "./api.ts";
import { Executor, type Kind } from "./executor.ts";
import type { World } from "./world.ts";

/** The least that bcrypt knows: at the gateway's own cost, checking tokens would be most of the load. */
const COST = 4;

/** How many of each dozen executors are of each kind. */
const DOZEN: readonly Kind[] = [
  ...Array<Kind>(3).fill("text"),
  ...Array<Kind>(2).fill("binary"),
  ...Array<Kind>(4).fill("relay"),
  ...Array<Kind>(3).fill("noise"),
];

/** Who an executor is, before there is a gateway. */
export interface Identity {
  readonly exeId: string;
  readonly token: string;
  readonly kind: Kind;
}

/**
 * Creates executors in the store, bound to the soak's workspace. Not through the API, which would
 * take a minute of bcrypt for some hundreds; clients of the API create others while there is load.
 */
export async function populate(
  options: StoreOptions,
  random: Random,
  count: number,
): Promise<Identity[]> {
  const store = await Store.open(options);
  try {
    const identities: Identity[] = [];
    for (let i = 0; i < count; i++) {
      const exeId = `exe_${crypto.randomUUID()}`;
      const token = encodeHex(random.bytes(32));
      const hash = await bcrypt({
        password: token,
        salt: random.bytes(16),
        costFactor: COST,
        outputType: "encoded",
      });
      const executor = {
        exe_id: exeId,
        user_id: "user_soak",
        display_name: "",
        description: "",
        default_cwd: "",
      };
      await store.createExecutor(executor, hash, tokenDigest(token));
      await store.bindWorkspaceExecutor(WORKSPACE, exeId, false);
      identities.push({ exeId, token, kind: DOZEN[i % DOZEN.length]! });
    }
    return identities;
  } finally {
    await store.close();
  }
}

/** The executors of these identities. */
export function embody(world: World, identities: readonly Identity[]): Executor[] {
  return identities.map(({ exeId, token, kind }) => new Executor(world, exeId, token, kind));
}
