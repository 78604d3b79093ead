import { setImmediate } from "node:timers";

/** How many small frames of one peer are handled in a turn of the event loop. */
export const SHARE = 64;

/** What is left of it when the loop is asked to tell of its next turn. */
export const ASK_AT = SHARE / 2;

/** However many wait, nobody has less than this. */
const LEAST_SHARE = 8;

/** How many small frames are handled in a turn, of all together who have had their shares. */
const TOGETHER = 256;

/** What counts as one more small frame, in bytes. */
const PART_BYTES = 64 * 1024;

let turn = 0;
let spent = 0;
let isAsked = false;
let waiting: ((share: number) => void)[] = [];

/** What a frame takes of its peer's share beside being one, for its size in bytes. */
export function costOf(bytes: number): number {
  return Math.floor(bytes / PART_BYTES);
}

/**
 * The number of the event loop's turn, or of an earlier one: it goes up only after {@linkcode askForTurn}, so
 * that nothing is spent while nobody sends much.
 */
export function lastTurn(): number {
  return turn;
}

/** Has the number go up when the loop has turned. */
export function askForTurn(): void {
  if (isAsked) return;
  isAsked = true;
  setImmediate(() => {
    isAsked = false;
    turn++;
  });
}

/** How often a peer has spent its share and waited for the others, since the process began. */
export function spentShares(): number {
  return spent;
}

/**
 * Calls back when everybody else had the chance to be heard. That takes a timer, a millisecond or two: the loop turns a
 * hundred thousand times a second if it is let, and handles one event of another peer in each turn.
 *
 * @param callback takes what its peer's share is from then on: less where many wait
 */
export function afterTurn(callback: (share: number) => void): void {
  spent++;
  if (waiting.push(callback) === 1) setTimeout(letOn);
}

function letOn(): void {
  const callbacks = waiting;
  waiting = [];
  turn++;
  const share = Math.min(SHARE, Math.max(LEAST_SHARE, Math.floor(TOGETHER / callbacks.length)));
  for (const callback of callbacks) callback(share);
}
