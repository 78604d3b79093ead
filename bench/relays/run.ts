import { databases } from "../../tests/support/databases.ts";
import { type Cell, cellsOf, EFFORT, type Extent } from "./cells.ts";
import { startGatewayTarget } from "./gateway_target.ts";
import { type Figures, LoadGenerator } from "./load_generator.ts";
import { startDenoRelay, startGoRelay, startNginx, startWsRelay } from "./peers.ts";
import { type Target, type TargetName, TARGETS } from "./target.ts";
import { versionOf, wsVersion } from "./tools.ts";

/** What one target did under one load, round by round. */
export interface Result {
  readonly cell: Cell;
  readonly target: TargetName;
  readonly rounds: readonly Figures[];
}

/** A run of the comparison; everything in it was measured side by side. */
export interface RelaysRun {
  /** When it began, in ISO 8601. */
  readonly at: string;
  readonly extent: Extent;
  readonly rounds: number;
  readonly milliseconds: number;
  readonly cores: number;
  readonly database: string;
  readonly versions: readonly string[];
  readonly results: readonly Result[];
  /** Loads that a target did not get through, and why. */
  readonly failures: readonly string[];
}

/** What of it is wanted. */
export interface RelaysOptions {
  readonly extent: Extent;
  /** All when absent. */
  readonly targets?: readonly TargetName[];
  /** The directory of another build, to measure it beside this one. */
  readonly beside?: string;
}

/**
 * Measures every target under every load. They take turns within each round, so that whatever else the
 * machine does meanwhile falls on all of them.
 *
 * @param note is told what is going on
 */
export async function runRelays(
  { extent, targets: wanted = TARGETS, beside }: RelaysOptions,
  note: (text: string) => void,
): Promise<RelaysRun> {
  const at = new Date().toISOString();
  const cells = cellsOf(extent);
  const { rounds, milliseconds } = EFFORT[extent];
  const engine = databases.findLast(({ available }) => available)!;
  const mostBridges = Math.max(...cells.map(({ bridges }) => bridges));

  await using load = await LoadGenerator.start();
  await using stack = new AsyncDisposableStack();
  const starters: Record<TargetName, () => Promise<Target>> = {
    exclusive: () => startGatewayTarget("exclusive", engine, mostBridges),
    relay: () => startGatewayTarget("relay", engine, mostBridges),
    "exclusive-beside": () => startGatewayTarget("exclusive", engine, mostBridges, beside),
    "relay-beside": () => startGatewayTarget("relay", engine, mostBridges, beside),
    deno: startDenoRelay,
    go: startGoRelay,
    ws: startWsRelay,
    nginx64k: () => startNginx("nginx64k", load.echo, 64),
    nginx: () => startNginx("nginx", load.echo),
  };
  const targets: Target[] = [];
  for (const name of wanted) {
    if (name.endsWith("-beside") && beside === undefined) continue;
    targets.push(stack.use(await starters[name]()));
  }

  const table = new Map<string, { cell: Cell; target: TargetName; rounds: Figures[] }>();
  const failures: string[] = [];
  const alive = new Set(targets);
  const fail = (target: Target, during: string, error: unknown) => {
    const failure = `${target.name}, ${during}: ${(error as Error).message}`;
    note(failure);
    failures.push(failure);
  };
  // One that cannot be reached any more drops out, and the others go on.
  const open = async (target: Target, bridges: number) => {
    try {
      await load.open(target.name, await target.ends(bridges));
    } catch (error) {
      fail(target, `opening ${bridges} bridges`, error);
      alive.delete(target);
    }
  };
  const measureOne = async (target: Target, cell: Cell, round: number) => {
    if (cell.text && !target.takesText) return;
    const key = `${target.name} ${JSON.stringify(cell)}`;
    try {
      // The first round warms up, and does not count.
      const time = round < 0 ? milliseconds / 2 : milliseconds;
      const figures = await load.measure(target.name, target.pid, { ...cell, milliseconds: time });
      if (round < 0) return;
      const result = table.get(key) ?? { cell, target: target.name, rounds: [] };
      table.set(key, result);
      result.rounds.push(figures);
    } catch (error) {
      fail(target, describe(cell), error);
      await load.close(target.name);
      await open(target, cell.bridges);
    }
  };

  for (const bridges of new Set(cells.map((cell) => cell.bridges))) {
    note(`opening ${bridges} bridges through each`);
    for (const target of alive) await open(target, bridges);
    for (const cell of cells.filter((cell) => cell.bridges === bridges)) {
      note(describe(cell));
      for (let round = -1; round < rounds; round++) {
        for (const target of alive) await measureOne(target, cell, round);
      }
    }
    for (const target of alive) await load.close(target.name);
  }
  return {
    at,
    extent,
    rounds,
    milliseconds,
    cores: navigator.hardwareConcurrency,
    database: engine.name,
    versions: [
      `deno ${Deno.version.deno}`,
      await versionOf("go", "version"),
      `node ${await versionOf("node", "--version")} with ${wsVersion}`,
      await versionOf("nginx", "-v"),
    ],
    results: [...table.values()],
    failures,
  };
}

/** Names a load: a row of the tables. */
export function describe({ bridges, bytes, text, inFlight }: Cell): string {
  const kind = text ? "text" : "binary";
  return `${sizeOf(bytes)} ${kind}, ${inFlight} in flight, ${bridges} bridge${
    bridges === 1 ? "" : "s"
  }`;
}

function sizeOf(bytes: number): string {
  if (bytes >= 2 ** 20) return `${bytes / 2 ** 20} MiB`;
  return bytes >= 1024 ? `${bytes / 1024} KiB` : `${bytes} B`;
}
