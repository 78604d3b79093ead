/** Why a frame was dropped. */
export type DropReason =
  | "no_bridge"
  | "text_frame"
  | "malformed"
  | "bad_version"
  | "bad_stream_id"
  | "unclaimed_stream"
  | "unknown_stream"
  | "before_handshake"
  | "too_large";

/** How many frames of one executor's connection were dropped, by reason. */
export class Drops {
  readonly #counts = new Map<DropReason, number>();
  readonly #total: Map<DropReason, number>;

  /** @param total counts those of every connection too */
  constructor(total: Map<DropReason, number>) {
    this.#total = total;
  }

  count(reason: DropReason): void {
    for (const counts of [this.#counts, this.#total]) {
      counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
  }

  /** The counts of the reasons that occurred; `undefined` when none did. */
  byReason(): Record<string, number> | undefined {
    return this.#counts.size === 0 ? undefined : Object.fromEntries(this.#counts);
  }
}
