/** How many breaches are kept in full; the others are counted. */
const KEPT = 40;

/** The promises that were broken. */
export class Breaches {
  readonly first: string[] = [];
  count = 0;

  note(what: string): void {
    this.count++;
    if (this.first.length < KEPT) this.first.push(`${new Date().toISOString()} ${what}`);
  }

  /** Notes the promise unless it holds. */
  unless(holds: boolean, promise: () => string): void {
    if (!holds) this.note(promise());
  }
}
