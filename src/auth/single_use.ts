/** Remembers what was used, until it would have expired by itself. */
export class SingleUse {
  readonly #expById = new Map<string, number>();

  /**
   * Uses an id up.
   *
   * @param exp when its holder expires by itself, in unix seconds
   * @returns false when it had been used before
   */
  use(id: string, exp: number): boolean {
    this.#prune();
    if (this.#expById.has(id)) return false;
    this.#expById.set(id, exp);
    return true;
  }

  /** Gives an id back that was used for what failed. */
  giveBack(id: string): void {
    this.#expById.delete(id);
  }

  #prune(): void {
    const now = Date.now() / 1000;
    for (const [id, exp] of this.#expById) {
      // All are given the same time to live, so the oldest expire first.
      if (exp >= now) break;
      this.#expById.delete(id);
    }
  }
}
