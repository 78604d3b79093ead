/** What is done about each refused request: it is counted, and the log is told. */

import type { HttpError, Subject } from "./context.ts";
import type { RefusalReason } from "./refusal_reason.ts";
import { LabelledCounter } from "../metrics/labelled_counter.ts";
import type { Samples } from "../metrics/prometheus.ts";
import { RefusalLog } from "./refusal_log.ts";

/** Stands for the route of a request that is for none, or was not looked at. */
export const NO_ROUTE = "none";

/** A request that was refused. */
export interface RefusedRequest {
  /** The route's path, not the request's: what a caller sends makes no new entry. */
  readonly path?: string;
  readonly refusal: HttpError;
  readonly subject: Subject;
  /** The client's address, and what it is counted by. */
  readonly remote: string;
  readonly source: string;
}

/** The requests that were refused: counted, and each a line in the log, within limits. */
export class Refusals implements Disposable {
  readonly #counts = new LabelledCounter<{
    route: string;
    status: string;
    reason: RefusalReason;
  }>();
  readonly #log: RefusalLog;

  /** @param log writes the lines */
  constructor(log = new RefusalLog()) {
    this.#log = log;
  }

  /** Counts and logs one. */
  note({ path: route = NO_ROUTE, refusal, subject, remote, source }: RefusedRequest): void {
    const { status, reason } = refusal;
    this.#counts.add({ route, status: String(status), reason });
    this.#log.write({ route, status, reason, subject, remote, source });
  }

  /** Each count with its labels. */
  get samples(): Samples {
    return this.#counts.samples;
  }

  /** Says what was left out of the log so far. */
  [Symbol.dispose](): void {
    this.#log[Symbol.dispose]();
  }
}
