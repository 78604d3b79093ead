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

  count(reason: DropReason): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
  }

  /** The counts of the reasons that occurred; `undefined` when none did. */
  byReason(): Record<string, number> | undefined {
    return this.#counts.size === 0 ? undefined : Object.fromEntries(this.#counts);
  }
}
