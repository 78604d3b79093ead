/** Stands in for `performance.now` and `Date.now` until it is disposed. */
export class Clock implements Disposable {
  readonly #real = { performance: performance.now, date: Date.now };
  #now = 1_000_000;

  constructor() {
    const begun = this.#real.date();
    performance.now = () => this.#now;
    Date.now = () => begun + this.#now - 1_000_000;
  }

  advance(ms: number): void {
    this.#now += ms;
  }

  [Symbol.dispose](): void {
    performance.now = this.#real.performance;
    Date.now = this.#real.date;
  }
}
