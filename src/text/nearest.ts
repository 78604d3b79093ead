import { closest, distance } from "fastest-levenshtein";

/**
 * What somebody may have meant who wrote something else.
 *
 * @param candidates what there is
 * @returns the candidate that differs least; `undefined` when none is anything like it
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (word === "" || candidates.length === 0) return undefined;
  const found = closest(word.toLowerCase(), candidates.map((it) => it.toLowerCase()));
  const most = Math.max(2, Math.ceil(Math.max(word.length, found.length) / 3));
  if (distance(word.toLowerCase(), found) > most) return undefined;
  return candidates.find((it) => it.toLowerCase() === found);
}
