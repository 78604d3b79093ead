import { steadyUnixSeconds } from "../time/steady_clock.ts";

/**
 * The turns whose tokens are no longer good, each until its token's own `exp`.
 *
 * Bounded: at capacity the oldest entry by insertion, *not* by expiry, makes room. If that one had
 * not expired, its turn is un-revoked, and {@linkcode RevokedSet.add} says so.
 */
export class RevokedSet {
  // A Map keeps the order of insertion, which is the order of eviction.
  readonly #expByTurn = new Map<string, number>();
  readonly #cap: number;

  /**
   * @param cap how many turns it holds at most
   * @throws {RangeError} when `cap` is not a whole number of at least 1
   */
  constructor(cap = 10_000) {
    if (!Number.isInteger(cap) || cap < 1) {
      throw new RangeError(`the capacity of a RevokedSet must be a whole number >= 1, not ${cap}`);
    }
    this.#cap = cap;
  }

  /** How many turns it holds, expired ones that were not pruned yet included. */
  get size(): number {
    return this.#expByTurn.size;
  }

  /**
   * Revokes a turn. Adding it again refreshes its place in the order of eviction, and never makes the
   * revocation end sooner.
   *
   * @param exp when the turn's tokens expire by themselves, in unix seconds
   * @returns `evictedLive`: whether the entry that had to make room was still in force; the caller
   * should log it
   */
  add(turnId: string, exp: number): boolean {
    let evictedLive = false;
    const known = this.#expByTurn.get(turnId);
    if (known !== undefined) {
      this.#expByTurn.delete(turnId);
      exp = Math.max(exp, known);
    } else if (this.#expByTurn.size >= this.#cap) {
      const [oldest, oldestExp] = this.#expByTurn.entries().next().value!;
      this.#expByTurn.delete(oldest);
      evictedLive = oldestExp > steadyUnixSeconds();
    }
    this.#expByTurn.set(turnId, exp);
    return evictedLive;
  }

  /** Whether the turn is in the set, expired or not: {@linkcode RevokedSet.prune} cleans up. */
  contains(turnId: string): boolean {
    return this.#expByTurn.has(turnId);
  }

  /**
   * Forgets the turns whose tokens have expired by themselves.
   *
   * @param now unix seconds; by default of a clock that nobody can set, so that one that jumps prunes nothing
   */
  prune(now: number = steadyUnixSeconds()): void {
    for (const [turnId, exp] of this.#expByTurn) {
      // A token is good up to and including its last second, and so must its revocation be.
      if (exp < now) this.#expByTurn.delete(turnId);
    }
  }

  /**
   * Prunes at an interval until `stop` is aborted. Does not keep the process alive.
   *
   * @param intervalMs milliseconds between two prunes
   */
  startPruner(stop: AbortSignal, intervalMs: number): void {
    if (stop.aborted) return;
    const timer = setInterval(() => this.prune(), intervalMs);
    Deno.unrefTimer(timer);
    stop.addEventListener("abort", () => clearInterval(timer), { once: true });
  }
}
