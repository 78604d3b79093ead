/** How many requests were refused, by the route's path and the status. */
export class Refusals {
  readonly #counts = new Map<string, { path: string; status: number; count: number }>();

  /** @param path the route's, not the request's: what a caller sends makes no new entry */
  count(path: string, status: number): void {
    const key = `${status} ${path}`;
    const entry = this.#counts.get(key) ?? { path, status, count: 0 };
    this.#counts.set(key, entry);
    entry.count++;
  }

  /** Each count with its labels. */
  samples(): (readonly [{ route: string; status: string }, number])[] {
    return [...this.#counts.values()].map(({ path, status, count }) =>
      [{ route: path, status: String(status) }, count] as const
    );
  }
}
