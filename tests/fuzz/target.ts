import type { Random } from "./random.ts";

/** One thing under test: makes inputs and judges what becomes of each. */
export interface Target<Input> {
  readonly name: string;
  /** How many inputs it gets in each round: together, the targets have a thousand. */
  readonly share: number;
  /** How many inputs may be in hand at once. */
  readonly parallel: number;
  /** Makes an input: the same for the same state of `random`. */
  generate(random: Random): Input;
  /** Judges one input; throws when a promise is broken. */
  check(input: Input): void | Promise<void>;
  /** Judges what holds after a batch of inputs; throws when it does not. */
  settle?(): Promise<void>;
  /** The input as a person reads it: hex, or JSON. */
  show(input: Input): string;
}

/** A promise that was broken. */
export class Broken extends Error {
  override name = "Broken";
}

/** @throws {Broken} unless `holds` */
export function hold(holds: boolean, promise: string): asserts holds {
  if (!holds) throw new Broken(promise);
}

/** JSON in which every character outside of printable ASCII is escaped. */
export function showJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    /[^\x20-\x7e]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
