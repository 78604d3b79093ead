import type { Samples } from "./prometheus.ts";

/** A counter for each combination of labels that occurred: all of them few, and none from outside. */
export class LabelledCounter<Labels extends Readonly<Record<string, string>>> {
  readonly #counts = new Map<string, { readonly labels: Labels; count: number }>();

  add(labels: Labels): void {
    const key = JSON.stringify(labels);
    const known = this.#counts.get(key);
    if (known !== undefined) known.count++;
    else this.#counts.set(key, { labels, count: 1 });
  }

  /** As the text format takes them. */
  get samples(): Samples {
    return [...this.#counts.values()].map(({ labels, count }) => [labels, count] as const);
  }
}
