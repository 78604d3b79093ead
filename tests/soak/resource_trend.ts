import { measure, type Resources } from "./resources.ts";
import type { World } from "./world.ts";

const MIB = 1024 * 1024;

/** How much more memory than after the warm-up is still "where it was": the larger of the two. */
const TOLERANCE = 0.2;
const TOLERANCE_BYTES = 32 * MIB;

/** How long the gateway may take to give memory back at the end, in milliseconds. */
const SETTLE_MS = 60_000;

/** The connections that the gateway keeps to a PostgreSQL server, at most. */
const POOL = 10;

/** What the gateway held before any load, after the warm-up, and after each cycle. */
export class ResourceTrend {
  readonly atStart: Resources;
  readonly cycles: Resources[] = [];
  /** After the last cycle, when it has had time to settle. */
  atEnd: Resources;

  constructor(atStart: Resources) {
    this.atStart = atStart;
    this.atEnd = atStart;
  }

  /**
   * After the first two cycles, the one that left more: to it the others are compared, since memory that was
   * used once is kept.
   */
  get warm(): Resources {
    const [first, second = first] = this.cycles;
    return second!.residentBytes > first!.residentBytes ? second! : first!;
  }

  /** How much memory there may be, in bytes. */
  get limit(): number {
    return this.warm.residentBytes + Math.max(TOLERANCE_BYTES, TOLERANCE * this.warm.residentBytes);
  }

  add(resources: Resources): void {
    this.cycles.push(resources);
    this.atEnd = resources;
  }

  /** Gives the gateway time to collect its garbage, as long as it needs some. */
  async settle(world: World): Promise<void> {
    const deadline = performance.now() + SETTLE_MS;
    while (this.atEnd.residentBytes > this.limit && performance.now() < deadline) {
      this.atEnd = await measure(world);
    }
  }

  /** Notes as breaches what is not back where it was. */
  judge({ breaches }: World, withPool: boolean): void {
    const { atStart, atEnd, limit } = this;
    const spare = withPool ? POOL : 0;
    breaches.unless(
      Math.abs(atEnd.handles - atStart.handles) <= spare,
      () => `${atEnd.handles} handles are open; before the load there were ${atStart.handles}`,
    );
    breaches.unless(
      atEnd.databaseTwice <= this.warm.databaseTwice,
      () => `${atEnd.databaseTwice} files of the database are open twice`,
    );
    breaches.unless(
      atEnd.residentBytes <= limit,
      () => `${mib(atEnd.residentBytes)} are resident; the limit is ${mib(limit)}`,
    );
  }
}

/** Bytes as a person reads them. */
export function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
