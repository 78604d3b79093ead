import { Broken } from "./target.ts";

/** Notes what nobody caught, instead of ending the process by it. */
export class Uncaught implements Disposable {
  #reason: unknown;
  #seen = false;
  readonly #note = (event: Event) => {
    event.preventDefault();
    if (this.#seen) return;
    this.#seen = true;
    const { reason, error } = event as Event & { reason?: unknown; error?: unknown };
    this.#reason = reason ?? error;
  };

  constructor() {
    addEventListener("unhandledrejection", this.#note);
    addEventListener("error", this.#note);
  }

  /** @throws {Broken} when there was something */
  async check(): Promise<void> {
    // Rejections are reported between two turns of the event loop.
    if (!this.#seen) await Promise.resolve();
    if (this.#seen) throw new Broken(`everything is caught, unlike ${details(this.#reason)}`);
  }

  [Symbol.dispose](): void {
    removeEventListener("unhandledrejection", this.#note);
    removeEventListener("error", this.#note);
  }
}

/** An error with its stack. */
export function details(error: unknown): string {
  return error instanceof Error ? error.stack ?? `${error}` : String(error);
}
