/**
 * A run: every target in turn, a batch of each, until enough inputs were judged or one broke a
 * promise.
 *
 * @module
 */
import { Random } from "./random.ts";
import type { Target } from "./target.ts";
import { Uncaught } from "./uncaught.ts";

/** What became of a target's inputs. */
export interface Tally {
  name: string;
  inputs: number;
  seconds: number;
}

/** Where a run broke, and on what. */
export class Failure extends Error {
  override name = "Failure";

  constructor(
    readonly target: string,
    /** The number of the input, or of the first that may have done it. */
    readonly index: number,
    readonly inputs: readonly string[],
    override readonly cause: unknown,
  ) {
    super(`${target} broke at input ${index}`);
  }
}

/** What a run is made of. */
export interface Run {
  targets: readonly Target<unknown>[];
  seed: number;
  inputs: number;
  from: number;
  seconds: number;
  /** Called about once a second. */
  onProgress(inputs: number): void;
}

/** @throws {Failure} at the first promise that was broken */
export async function fuzz(
  { targets, seed, inputs, from, seconds, onProgress }: Run,
): Promise<Tally[]> {
  using uncaught = new Uncaught();
  const tallies = targets.map(({ name }): Tally => ({ name, inputs: 0, seconds: 0 }));
  const startedAt = performance.now();
  let shownAt = startedAt;
  let done = 0;
  while (done < inputs && performance.now() - startedAt < seconds * 1_000) {
    for (const [i, target] of targets.entries()) {
      const tally = tallies[i]!;
      const count = Math.min(target.share, inputs - done);
      if (count <= 0) continue;
      const batchAt = performance.now();
      await runBatch(target, seed, from + tally.inputs, count, uncaught);
      tally.seconds += (performance.now() - batchAt) / 1_000;
      tally.inputs += count;
      done += count;
    }
    if (performance.now() - shownAt > 1_000) {
      shownAt = performance.now();
      onProgress(done);
    }
  }
  return tallies;
}

async function runBatch(
  target: Target<unknown>,
  seed: number,
  first: number,
  count: number,
  uncaught: Uncaught,
): Promise<void> {
  const inputAt = (index: number) => target.generate(new Random(seed, target.name, index));
  let next = first;
  const work = async () => {
    while (next < first + count) {
      const index = next++;
      const input = inputAt(index);
      try {
        const checked = target.check(input);
        if (checked !== undefined) await checked;
      } catch (error) {
        throw new Failure(target.name, index, [target.show(input)], error);
      }
    }
  };
  await Promise.all(Array.from({ length: target.parallel }, work));
  try {
    await target.settle?.();
    await uncaught.check();
  } catch (error) {
    const shown = Array.from({ length: count }, (_, i) => target.show(inputAt(first + i)));
    throw new Failure(target.name, first, shown, error);
  }
}
