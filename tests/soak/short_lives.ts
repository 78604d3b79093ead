import type { Random } from "../fuzz/random.ts";
import { WORKSPACE } from "./api.ts";
import { Connection } from "./connection.ts";
import { Executor, type Kind } from "./executor.ts";
import { Harness } from "./harness.ts";
import { sleep } from "./signal.ts";
import type { Phase, World } from "./world.ts";

const KINDS: readonly Kind[] = ["text", "binary", "relay", "noise"];

/** Creates executors through the API that dial in, serve, and are removed in the middle of it. */
export async function liveShortly(world: World, phase: Phase): Promise<void> {
  const random = world.random("short lives");
  while (!phase.over) {
    await oneLife(world, random);
    await world.pace.pause(random, 1_000);
  }
}

async function oneLife(world: World, random: Random): Promise<void> {
  const created = await world.api.expect(world, 201, {
    method: "POST",
    route: "/api/codex-exec/register",
    headers: { "x-user-id": "user_soak" },
    body: {},
  });
  const { exe_id, registration_token } = created.body as Record<string, string>;
  await world.api.expect(world, 201, {
    method: "POST",
    route: "/api/codex-exec/workspaces/:wid/executors",
    path: `/api/codex-exec/workspaces/${WORKSPACE}/executors`,
    body: { exe_id },
  });
  const executor = new Executor(world, exe_id!, registration_token!, random.pick(KINDS));
  const connection = await executor.dial(random);
  if (!(connection instanceof Connection)) {
    return world.breaches.note(`${executor.exeId} was refused with ${connection}`);
  }
  // An executor that is not known to the gateway yet is not waited for.
  await sleep(500);
  const harness = await Harness.open(world, random, connection);
  const talking = harness?.start().then((up) => up && harness.talk({ messages: 1_000 }));
  await sleep(random.below(500));
  await remove(executor, connection);
  await talking;
  await harness?.untilEnded();
  await connection.untilClosed();
  const again = await executor.dialAgain();
  if (again !== 401) world.breaches.note(`${exe_id} was removed and dialled in again: ${again}`);
}

async function remove({ world, exeId }: Executor, connection: Connection): Promise<void> {
  const ending = { code: 1008, reason: "executor removed" };
  connection.expect(ending);
  connection.leaving = true;
  connection.exe.happened(ending);
  await world.api.expect(world, 204, {
    method: "DELETE",
    route: "/api/codex-exec/executors/:exe_id",
    path: `/api/codex-exec/executors/${exeId}`,
  });
  world.count("executors removed while connected");
}
