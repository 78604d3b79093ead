import type { StoreOptions } from "../../src/store/store.ts";
import { Actors } from "./actors.ts";
import type { ApiClient } from "./api_client.ts";
import { Ledger } from "./books.ts";
import { Connection } from "./connection.ts";
import { dial } from "./executor_life.ts";
import { startGateway } from "./gateway.ts";
import type { GatewayLog } from "./gateway_log.ts";
import { Harness } from "./harness.ts";
import { untilQuiet } from "./resources.ts";
import { sleep } from "./signal.ts";
import type { World } from "./world.ts";

/** How soon after the gateway serves again every executor must be back, in milliseconds. */
const BACK_MS = 30_000;

/**
 * Kills the gateway in the middle of traffic and starts another: each executor must come back by the
 * very URL that it had dialled, and what the API had answered must still be so.
 *
 * @returns how long it took until all of them were back, in milliseconds
 */
export async function killTheGateway(
  world: World,
  database: StoreOptions,
  clients: readonly ApiClient[],
  log: GatewayLog,
): Promise<number> {
  const random = world.random("killed");
  const dialled = await Promise.all(world.executors.map((executor) => dial(executor, random)));
  const connections = dialled.filter((connection) => connection !== undefined);
  await sleep(1_000);
  const talking = new Actors(
    world,
    "killed bridges",
    connections.map(async (connection) => {
      const harness = await Harness.open(world, world.random("killed harness"), connection);
      if (harness !== undefined && await harness.start()) await harness.talk({ messages: 10_000 });
    }),
  );
  await sleep(1_000);
  const gone = { code: 1006, reason: "" };
  for (const connection of connections) {
    connection.leaving = true;
    connection.expect(gone);
    connection.exe.happened(gone);
  }
  const { gateway } = world;
  const port = gateway.port;
  gateway.kill("SIGKILL");
  await gateway.exited;
  await talking.finished();
  for (const connection of connections) await connection.untilClosed();

  log.restart();
  world.ledger = new Ledger(world.ledger.lastId);
  world.gateway = await startGateway(database, port);
  for (const executor of world.executors) executor.reset();
  const since = performance.now();
  const back = await Promise.all(connections.map(({ exe }) => exe.dialAgain()));
  const tookMs = performance.now() - since;
  for (const [i, connection] of back.entries()) {
    if (connection instanceof Connection) continue;
    const { kind, exeId } = connections[i]!.exe;
    world.breaches.note(`${kind} executor ${exeId} is lost: refused with ${connection}`);
  }
  if (tookMs > BACK_MS) world.breaches.note(`the executors were back after ${tookMs} ms only`);
  // From then on the listings must show every one of them as connected.
  await sleep(1_500);
  for (const client of clients) await client.list();
  const returned = back.filter((connection) => connection instanceof Connection);
  await new Actors(world, "returned executors", returned.map((one) => one.leave())).finished();
  await untilQuiet(world);
  await log.untilComplete(world.ledger);
  return tookMs;
}
