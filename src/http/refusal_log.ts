/** The line that the log has for a refused request, and how many of them there may be. */

import type { Subject } from "./context.ts";
import type { RefusalReason } from "./refusal_reason.ts";
import { shownId } from "./wording.ts";
import { log } from "../log/logging.ts";
import { PairWindows } from "../limits/windows.ts";

/** How many lines one address gets in a minute: for one reason, route and executor, and in all. */
const MAX_OF_PAIR = 5;
const MAX_OF_SOURCE = 60;

/** How long after the first line that was left out it is said how many were, in milliseconds. */
const SAY_AFTER_MS = 60_000;

/** What an operator has to look at: an executor that is set up wrong, or somebody who tries tokens. */
const WARNED: ReadonlySet<RefusalReason> = new Set(["wrong_registration_token", "wrong_signature"]);

/** What a line tells. */
export interface LoggedRefusal {
  readonly route: string;
  readonly status: number;
  readonly reason: RefusalReason;
  readonly subject: Subject;
  /** The client's address, and what it is counted by. */
  readonly remote: string;
  readonly source: string;
}

/**
 * One line for each refusal, and no credential in any. Who is refused again and again fills no log: of one
 * address there are so many lines in a minute, what is more is counted, and the count is a line too.
 */
export class RefusalLog implements Disposable {
  readonly #lines = new PairWindows(MAX_OF_PAIR, MAX_OF_SOURCE);
  readonly #sayAfterMs: number;
  /** By source, until it is said. */
  readonly #leftOut = new Map<
    string,
    { count: number; readonly timer: ReturnType<typeof setTimeout> }
  >();

  /** @param sayAfterMs how long left-out lines are counted together, in milliseconds */
  constructor(sayAfterMs = SAY_AFTER_MS) {
    this.#sayAfterMs = sayAfterMs;
  }

  /** Writes a line, or counts it. */
  write({ route, status, reason, subject, remote, source }: LoggedRefusal): void {
    // Whatever path somebody makes up.
    const exeId = subject.exeId === undefined ? undefined : shownId(subject.exeId);
    if (this.#lines.count(`${reason} ${route} ${exeId}`, source) > 0) return this.#leaveOut(source);
    const fields = { route, status, reason, exe_id: exeId, turn_id: subject.turnId, remote };
    if (WARNED.has(reason)) log.warn("refused", fields);
    else log.info("refused", fields);
  }

  /** Says what was left out so far. */
  [Symbol.dispose](): void {
    for (const source of [...this.#leftOut.keys()]) this.#say(source);
  }

  #leaveOut(source: string): void {
    const known = this.#leftOut.get(source);
    if (known !== undefined) {
      known.count++;
      return;
    }
    const timer = setTimeout(() => this.#say(source), this.#sayAfterMs);
    Deno.unrefTimer(timer);
    this.#leftOut.set(source, { count: 1, timer });
  }

  #say(source: string): void {
    const { count, timer } = this.#leftOut.get(source)!;
    clearTimeout(timer);
    this.#leftOut.delete(source);
    log.info("refusals left out of the log: too many from one address", {
      remote: source,
      left_out: count,
    });
  }
}
