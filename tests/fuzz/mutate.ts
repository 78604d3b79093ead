/**
 * Spoils what is good, in ways that have broken parsers before.
 *
 * @module
 */
import type { Random } from "./random.ts";

/** Texts that are trouble in one language or another. */
export const ODD_TEXTS: readonly string[] = [
  "",
  " ",
  "\0",
  "\x7f",
  "\r\n",
  "\u0085",
  "\u00a0",
  "\u200b",
  "\u202e",
  "\ufeff",
  "\ufffd",
  "\ud800",
  "\udc00x",
  "é",
  "e\u0301",
  "ß",
  "İ",
  "😀",
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "undefined",
  "null",
  "NaN",
  "-1",
  "..",
  "../..",
  "/",
  "\\",
  "%",
  "%00",
  "%2e%2e%2f",
  "%ff",
  "%F0%9F%98%80",
  "%ed%a0%80",
  "'; DROP TABLE executors; --",
  "$1",
  "{}",
  "${x}",
  "=",
  "==",
  "+",
  "-_",
];

/** A text: an odd one, a run of one, or a mixture. */
export function oddText(random: Random): string {
  switch (random.below(5)) {
    case 0:
      return random.pick(ODD_TEXTS);
    case 1:
      return "x".repeat(random.length(300));
    case 2:
      return random.pick(ODD_TEXTS).repeat(random.length(200) + 1);
    case 3:
      return String.fromCodePoint(random.below(random.chance(0.7) ? 0x300 : 0x110000));
    default:
      return random.pick(ODD_TEXTS) + random.uint32().toString(36) + random.pick(ODD_TEXTS);
  }
}

/** Changes a text in one place, or as a whole. */
export function mutateText(random: Random, text: string): string {
  const at = random.below(text.length + 1);
  const until = Math.min(text.length, at + random.length(8) + 1);
  switch (random.below(9)) {
    case 0:
      return text.slice(0, at) + text.slice(until);
    case 1:
      return text.slice(0, at) + oddText(random) + text.slice(at);
    case 2:
      return text.slice(0, at) + oddText(random) + text.slice(until);
    case 3:
      return text.slice(0, at);
    case 4:
      return text.slice(0, until) + text.slice(at);
    case 5:
      return random.chance(0.5) ? text.toUpperCase() : text.toLowerCase();
    case 6:
      return text.slice(at) + text.slice(0, at);
    case 7:
      return text.slice(0, at) + String.fromCharCode(0x20 + random.below(0x5f)) + text.slice(until);
    default:
      return text + random.pick(ODD_TEXTS);
  }
}

/** Changes bytes in one place; may cut them short or make them longer. */
export function mutateBytes(random: Random, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const changed = new Uint8Array(bytes);
  const at = random.below(bytes.length + 1);
  const until = Math.min(bytes.length, at + random.length(16) + 1);
  switch (random.below(7)) {
    case 0:
      if (at < changed.length) changed[at]! ^= 1 << random.below(8);
      return changed;
    case 1:
      if (at < changed.length) changed[at] = random.pick([0, 1, 0x7f, 0x80, 0xff, 0xc3, 0xef]);
      return changed;
    case 2:
      return changed.slice(0, at);
    case 3:
      return joined(changed.subarray(0, at), changed.subarray(until));
    case 4:
      return joined(changed.subarray(0, until), changed.subarray(at));
    case 5:
      return joined(changed.subarray(0, at), random.bytes(random.length(24)), changed.subarray(at));
    default:
      return joined(changed.subarray(at), changed.subarray(0, at));
  }
}

/** The parts as one. */
export function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
