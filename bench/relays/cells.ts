/**
 * Which loads are measured.
 *
 * @module
 */

const KIB = 1024;
const MIB = 1024 * KIB;

/** The sizes of the messages, in bytes. */
export const SIZES = [64, KIB, 64 * KIB, MIB] as const;

/** One load: a row of the tables. */
export interface Cell {
  readonly bridges: number;
  readonly bytes: number;
  readonly text: boolean;
  readonly inFlight: number;
}

/** How much is measured. */
export type Extent = "quick" | "usual" | "all";

/** How often each is measured, and for how long, in milliseconds. */
export const EFFORT: Readonly<Record<Extent, { rounds: number; milliseconds: number }>> = {
  quick: { rounds: 3, milliseconds: 150 },
  usual: { rounds: 5, milliseconds: 400 },
  all: { rounds: 5, milliseconds: 400 },
};

/** More than this under way at once measures the memory of the machine and nothing else, in bytes. */
const MOST_UNDER_WAY = 512 * MIB;

/** The number of bridges at which the sizes are compared, and that a thousand are compared with. */
export const FEW_BRIDGES = 8;
export const MANY_BRIDGES = 1000;

/** The loads of a run, those with the same number of bridges one after the other. */
export function cellsOf(extent: Extent): readonly Cell[] {
  const all = [1, FEW_BRIDGES, 100, MANY_BRIDGES].flatMap((bridges) =>
    [false, true].flatMap((text) =>
      [1, 32].flatMap((inFlight) =>
        SIZES.map((bytes): Cell => ({ bridges, bytes, text, inFlight }))
      )
    )
  ).filter(({ bridges, bytes, inFlight }) => bridges * bytes * inFlight <= MOST_UNDER_WAY);
  if (extent === "all") return all;
  return all.filter(extent === "usual" ? isUsual : isQuick);
}

/** Everything at a few bridges; at the other numbers one size of each sort, binary. */
function isUsual({ bridges, bytes, text }: Cell): boolean {
  return bridges === FEW_BRIDGES || (!text && (bytes === KIB || bytes === 64 * KIB));
}

/** What the promises are about, once: everything at a few bridges, and what a thousand are compared by. */
function isQuick({ bridges, bytes, text, inFlight }: Cell): boolean {
  if (bridges === FEW_BRIDGES) return true;
  return bridges === MANY_BRIDGES && !text && bytes === KIB && inFlight === 1;
}
