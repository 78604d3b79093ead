/** A secret that stands in a line of a log. */
export interface Leak {
  readonly line: string;
  readonly secret: string;
}

/** How much of each secret is looked up; none may be shorter. */
const PREFIX = 12;

/** Finds many secrets in many lines in one pass over them. */
export class SecretFinder {
  readonly #byPrefix = new Map<string, string[]>();

  /** @param secrets of at least {@linkcode PREFIX} characters each */
  constructor(secrets: Iterable<string>) {
    for (const secret of new Set(secrets)) {
      if (secret.length < PREFIX) throw new Error("a secret is too short to be looked for");
      const prefix = secret.slice(0, PREFIX);
      const same = this.#byPrefix.get(prefix);
      if (same === undefined) this.#byPrefix.set(prefix, [secret]);
      else same.push(secret);
    }
  }

  /** Every secret that stands in one of the lines. */
  find(lines: Iterable<string>): Leak[] {
    const leaks: Leak[] = [];
    for (const line of lines) {
      for (let at = 0; at + PREFIX <= line.length; at++) {
        const candidates = this.#byPrefix.get(line.slice(at, at + PREFIX));
        for (const secret of candidates ?? []) {
          if (line.startsWith(secret, at)) leaks.push({ line, secret });
        }
      }
    }
    return leaks;
  }
}
