/**
 * JSON texts, from the nearly right to the absurd.
 *
 * @module
 */
import { mutateText, oddText } from "./mutate.ts";
import type { Random } from "./random.ts";

const ODD_VALUES: readonly string[] = [
  "null",
  "true",
  "false",
  "0",
  "-0",
  "1",
  "-1",
  "1.5",
  "1e999",
  "-1e999",
  "1e300",
  "9007199254740993",
  "18446744073709551616",
  "NaN",
  '""',
  '"\\ud800"',
  '"\\u0000"',
  '"__proto__"',
  "[]",
  "{}",
  '{"__proto__":{"exp":4000000000}}',
  '{"toString":null,"length":-1}',
];

/** The text of a value, of any type. */
export function oddValue(random: Random, depth = 3): string {
  const kind = random.below(10);
  if (kind === 0) return JSON.stringify(oddText(random));
  if (kind === 1) return random.chance(0.02) ? nested(random, 1_000, 9_000) : nested(random, 1, 60);
  if (kind === 2 && depth > 0) {
    const length = random.length(6);
    return `[${
      Array.from({ length: Math.max(0, length) }, () => oddValue(random, depth - 1)).join()
    }]`;
  }
  if (kind === 3 && depth > 0) {
    const fields = Array.from(
      { length: Math.max(0, random.length(6)) },
      () => `${JSON.stringify(oddText(random))}:${oddValue(random, depth - 1)}`,
    );
    return `{${fields.join()}}`;
  }
  return random.pick(ODD_VALUES);
}

/** An object many levels deep: by lists, or by objects while those fit into a request body. */
export function nested(random: Random, min: number, max: number): string {
  const depth = min + random.below(max - min);
  return depth > 10_000 || random.chance(0.5)
    ? `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`
    : '{"a":'.repeat(depth) + "1" + "}".repeat(depth);
}

/**
 * An object that has these fields, some of them changed, left out, twice, or in another order.
 *
 * @param fields the right value of each field, as JSON text
 * @param changes how many fields are changed
 */
export function mutatedObject(
  random: Random,
  fields: Readonly<Record<string, string>>,
  changes = random.length(4),
): string {
  const written = Object.entries(fields).map(([name, value]) => `"${name}":${value}`);
  for (let left = changes; left > 0; left--) {
    const name = random.pick(Object.keys(fields));
    const at = random.below(written.length + 1);
    const field = `"${name}":${oddValue(random)}`;
    const change = random.below(10);
    if (change === 0) written.splice(at, 1);
    else if (change === 1) written.splice(at, 0, field);
    else if (change === 2) {
      written.splice(at, 0, `${JSON.stringify(oddText(random))}:${oddValue(random)}`);
    } else {
      const old = written.findIndex((one) => one.startsWith(`"${name}":`));
      if (old >= 0) written[old] = field;
    }
  }
  const text = `{${(random.chance(0.2) ? random.shuffle(written) : written).join()}}`;
  return changes > 0 && random.chance(0.15) ? mutateText(random, text) : text;
}
