/** What waits, its owners in turn: who brings much waits for it, and nobody else does. */
export class FairQueue<Item> {
  /** Each owner's items in the order they came; the owners in the order of their turns. */
  readonly #waiting = new Map<string, Item[]>();
  #size = 0;

  /** How many items wait. */
  get size(): number {
    return this.#size;
  }

  /** Adds an item behind its owner's others. */
  push(owner: string, item: Item): void {
    const items = this.#waiting.get(owner);
    if (items === undefined) this.#waiting.set(owner, [item]);
    else items.push(item);
    this.#size++;
  }

  /** Takes the first item of the owner whose turn it is; `undefined` when nothing waits. */
  shift(): Item | undefined {
    const turn = this.#waiting.entries().next();
    if (turn.done) return undefined;
    const [owner, items] = turn.value;
    const item = items.shift()!;
    // Its next turn comes after everybody else's.
    this.#waiting.delete(owner);
    if (items.length > 0) this.#waiting.set(owner, items);
    this.#size--;
    return item;
  }
}
