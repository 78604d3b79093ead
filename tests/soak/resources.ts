import { sleep } from "./signal.ts";
import type { World } from "./world.ts";

/** What the gateway's process holds. */
export interface Resources {
  /** In bytes. */
  readonly residentBytes: number;
  /** Sockets, pipes and files, but for those of the embedded database and those that the runtime keeps. */
  readonly handles: number;
  /**
   * Connections of harnesses that have vanished in their handshake. The runtime keeps one for ever whose client
   * goes before an asynchronous handler has answered 101, and tells nobody (findings/deno-upgrade-vanished.sh).
   */
  readonly keptByRuntime: number;
  /** Files of the embedded database: it opens each when it first needs it, and keeps it open. */
  readonly databaseFiles: number;
  /** How many of them are open twice. */
  readonly databaseTwice: number;
}

/** What the gateway must have none of when nobody is there. */
const EMPTY = [
  'cxg_executors{kind="exclusive"}',
  'cxg_executors{kind="relay"}',
  'cxg_executors{kind="noise"}',
  "cxg_bridges",
  "cxg_streams",
  "cxg_buffered_bytes",
  'cxg_held{side="executor"}',
  'cxg_held{side="harness"}',
  "cxg_bcrypt_waiting",
];

/** How long the gateway may take to see that everybody has gone, in milliseconds. */
const QUIET_MS = 20_000;

/** Waits until the gateway's gauges are back at 0; a breach when that takes long. */
export async function untilQuiet(world: World): Promise<Map<string, number>> {
  const deadline = performance.now() + QUIET_MS;
  while (true) {
    const samples = await world.api.scrape(world);
    const left = EMPTY.filter((name) => samples.get(name) !== 0);
    if (left.length === 0) return samples;
    if (performance.now() > deadline) {
      for (const name of left) {
        world.breaches.note(`${name} is ${samples.get(name)} ${QUIET_MS} ms after all have gone`);
      }
      return samples;
    }
    await sleep(100);
  }
}

/** The state of a TCP connection whose peer alone has closed it, as the kernel writes it. */
const CLOSE_WAIT = "08";

/** Measures the gateway when nobody is connected: of a few looks, the one that finds the least. */
export async function measure(world: World, ms = 2_000): Promise<Resources> {
  const { gateway, api } = world;
  api.hangUp();
  let residentBytes = Infinity;
  let files = await openFiles(world);
  const deadline = performance.now() + ms;
  do {
    await sleep(100);
    residentBytes = Math.min(residentBytes, await gateway.residentBytes());
    const now = await openFiles(world);
    if (now.handles < files.handles) files = now;
  } while (performance.now() < deadline);
  return { residentBytes, ...files };
}

async function openFiles(world: World): Promise<Omit<Resources, "residentBytes">> {
  const { pid, port } = world.gateway;
  const directory = `/proc/${pid}/fd`;
  const database: string[] = [];
  const others: string[] = [];
  for await (const { name } of Deno.readDir(directory)) {
    try {
      const target = await Deno.readLink(`${directory}/${name}`);
      (target.includes("/pgdata/") ? database : others).push(target);
    } catch (error) {
      // It was closed meanwhile.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  for (const inode of await vanished(port, world.vanishedFrom)) {
    world.keptByRuntime.add(`socket:[${inode}]`);
  }
  const kept = others.filter((target) => world.keptByRuntime.has(target)).length;
  const databaseFiles = database.length;
  return {
    handles: others.length - kept,
    keptByRuntime: kept,
    databaseFiles,
    databaseTwice: databaseFiles - new Set(database).size,
  };
}

/**
 * The inodes of the connections to a port that are left whose other ends were these ports, and have gone. The
 * kernel's table has them only until somebody else comes from the same port.
 */
async function vanished(port: number, from: ReadonlySet<number>): Promise<string[]> {
  const table = await Deno.readTextFile("/proc/net/tcp");
  const portOf = (address: string) => parseInt(address.split(":")[1]!, 16);
  return table.split("\n").slice(1).flatMap((line) => {
    const [, local, remote, state, , , , , , inode] = line.trim().split(/\s+/);
    const isOne = state === CLOSE_WAIT && portOf(local!) === port && from.has(portOf(remote!));
    return isOne ? [inode!] : [];
  });
}
