import { log } from "../log/logging.ts";
import { DatabaseFullError, DatabaseReadOnlyError, DatabaseUnavailableError } from "./database.ts";

/** Is refused wherever a change would be. */
const WRITE = /\b(?:INSERT|UPDATE|DELETE)\b/;

/** Changes nothing, and goes well on a full disk too. */
const NO_CHANGE = /\bWHERE false$/;

/**
 * Says in the log when the database fails us, and when that is over: once each. Who is refused meanwhile
 * has a line of its own, after that.
 */
export class Outages {
  readonly #away = new Outage("the database answers again");
  readonly #readOnly = new Outage("the database takes writes again");
  readonly #full = new Outage("the database has room again");

  /**
   * Minds how something goes.
   *
   * @param text the SQL that it runs
   * @throws what `work` throws
   */
  async watch<T>(text: string, work: () => Promise<T>): Promise<T> {
    const begunAt = performance.now();
    try {
      const result = await work();
      this.#answered(text, begunAt);
      return result;
    } catch (error) {
      this.#failed(error, begunAt);
      throw error;
    }
  }

  #answered(text: string, begunAt: number): void {
    this.#away.over(begunAt);
    if (!this.#readOnly.isOn && !this.#full.isOn || !WRITE.test(text)) return;
    this.#readOnly.over(begunAt);
    if (!NO_CHANGE.test(text)) this.#full.over(begunAt);
  }

  #failed(error: unknown, begunAt: number): void {
    if (error instanceof DatabaseFullError) {
      this.#full.failed("the database cannot write: its disk is full", error);
    } else if (error instanceof DatabaseReadOnlyError) {
      this.#readOnly.failed("the database takes no writes", error);
    } else if (error instanceof DatabaseUnavailableError) {
      return this.#away.failed("the database does not answer", error);
    }
    // It has said so itself.
    this.#away.over(begunAt);
  }
}

/** A time in which something fails. */
class Outage {
  readonly #whenOver: string;
  #since: number | undefined;
  #lastAt = 0;
  #failures = 0;

  /** @param whenOver what is said when it is over */
  constructor(whenOver: string) {
    this.#whenOver = whenOver;
  }

  get isOn(): boolean {
    return this.#since !== undefined;
  }

  failed(what: string, { message }: Error): void {
    this.#lastAt = performance.now();
    this.#failures++;
    if (this.#since !== undefined) return;
    this.#since = this.#lastAt;
    log.error(what, { error: message });
  }

  /** Something went well. What began before the last failure may have been answered before it too. */
  over(begunAt: number): void {
    if (this.#since === undefined || begunAt < this.#lastAt) return;
    log.info(this.#whenOver, {
      seconds: Math.round(performance.now() - this.#since) / 1000,
      failures: this.#failures,
    });
    this.#since = undefined;
    this.#failures = 0;
  }
}
