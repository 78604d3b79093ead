/**
 * How refusals are worded: what others chose (names, ids) is shown in one line of bounded length, so that
 * no message of the gateway's carries more of it than a name.
 *
 * @module
 */

/** The longest message of a refusal, in characters. */
export const MAX_MESSAGE = 300;

/** How much is shown of an id and of a name, in characters: an `exe_` and a UUID are 40. */
const MAX_ID = 48;
const MAX_NAME = 32;

/** From how long ago on a time is shown with its day, in milliseconds. */
const WITH_DAY_FROM_MS = 12 * 3600 * 1000;

/** What to do about a refusal that does not say so itself, by its status. */
const ADVICE: Readonly<Record<number, string>> = {
  400: "correct the request and send it again",
  404: "give codex the gateway's own URL, without a path, and an executor's id",
  405: "use one of these",
  408: "send it again, at once and whole",
  413: "send less",
  500: "try again, and tell the gateway's operator if it lasts",
  503: "tell the gateway's operator, and try again later",
};

/**
 * What to do, to be put behind the message of a refusal; "" where it says so itself: what was wrong stands
 * before the first "; ", what to do behind it.
 */
export function adviceFor(status: number, message: string): string {
  const advice = ADVICE[status];
  return advice === undefined || message.includes("; ") ? "" : `; ${advice}`;
}

/**
 * A text that others chose, fit to be shown: what is no visible character is a blank, blanks in a row are
 * one, and what is too long ends in "…".
 */
export function shown(text: string, maxLength: number): string {
  const line = text.slice(0, 4 * maxLength).replace(/[\p{C}\p{Z}]+/gu, " ").trim();
  return line.length <= maxLength ? line : `${cut(line, maxLength - 1)}…`;
}

/** An id from a path or a token. */
export function shownId(id: string): string {
  return shown(id, MAX_ID);
}

/** An executor, with its name if it has one: `executor exe_… (laptop)`. */
export function executorLabel(exeId: string, displayName = ""): string {
  const name = shown(displayName, MAX_NAME);
  return `executor ${shownId(exeId)}${name && ` (${name})`}`;
}

/** A time in UTC, `14:02 UTC`, with its day when that is not clear. */
export function timeText(time: Date, now = Date.now()): string {
  const [day, clock] = time.toISOString().split("T") as [string, string];
  const isLong = Math.abs(now - time.getTime()) >= WITH_DAY_FROM_MS;
  return `${isLong ? `${day} ` : ""}${clock.slice(0, 5)} UTC`;
}

/** A list that names the first few: `a, b, c and 4 more`. */
export function shownIds(ids: readonly string[], most = 3): string {
  const rest = ids.length - most;
  return ids.slice(0, most).map(shownId).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

/** Shortens a text without cutting a character in two. */
function cut(text: string, length: number): string {
  return /[\uD800-\uDBFF]$/.test(text.slice(0, length))
    ? text.slice(0, length - 1)
    : text.slice(0, length);
}
