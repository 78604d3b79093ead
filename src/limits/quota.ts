/** How many of something each holder has now, and at most so many each. */
export class Holdings {
  readonly #max: number;
  readonly #held = new Map<string, number>();

  /** @param max how many one holder may have */
  constructor(max: number) {
    this.#max = max;
  }

  /** Takes one for a holder, who must release it. Returns false when it has as many as it may. */
  take(holder: string): boolean {
    if ((this.#held.get(holder) ?? 0) >= this.#max) return false;
    this.add(holder);
    return true;
  }

  /** Adds one to what a holder has, whatever it has. */
  add(holder: string): void {
    this.#held.set(holder, (this.#held.get(holder) ?? 0) + 1);
  }

  /** How many a holder has. */
  count(holder: string): number {
    return this.#held.get(holder) ?? 0;
  }

  /** Gives one back. */
  release(holder: string): void {
    const left = this.#held.get(holder)! - 1;
    if (left > 0) this.#held.set(holder, left);
    else this.#held.delete(holder);
  }
}
