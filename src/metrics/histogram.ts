import type { Samples } from "./prometheus.ts";

/** How often a value was at most so large, for bounds that are fixed: a Prometheus histogram. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  /** @param bounds upper bounds, rising; one without a bound comes after them */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = Array(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const at = this.#bounds.findIndex((bound) => value <= bound);
    this.#counts[at < 0 ? this.#bounds.length : at]!++;
    this.#sum += value;
  }

  /** As the text format takes them: buckets that add up, the sum and the count, each by its suffix. */
  get samples(): Samples {
    let count = 0;
    const buckets = this.#counts.map((each, i) => {
      count += each;
      return [
        { le: i < this.#bounds.length ? `${this.#bounds[i]}` : "+Inf" },
        count,
        "_bucket",
      ] as const;
    });
    return [...buckets, [{}, this.#sum, "_sum"], [{}, count, "_count"]];
  }
}
