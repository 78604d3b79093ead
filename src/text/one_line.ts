/** Control, format and direction characters, line separators, and what is no character at all. */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/gu;

/**
 * A text that others may have chosen, on one line: what is not seen, ends a line, turns the direction of what
 * follows or speaks to a terminal is written as JSON writes it, `\n` or `\u202e`. So JSON on one line stays
 * what it was.
 */
export function oneLine(text: string): string {
  return text.replace(UNSEEN, escaped);
}

function escaped(character: string): string {
  const json = JSON.stringify(character).slice(1, -1);
  if (json !== character) return json;
  return character.split("").map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
}
