/**
 * Why something on the switchboard is over, seen from outside: who brought it about, and the close code.
 *
 * @module
 */
import type { Ending } from "./close_codes.ts";

/** How a peer's side of a websocket came to its end. */
export interface PeerClosed {
  /** Whether it said good-bye. */
  readonly wasClean: boolean;
  /** The peer's close code; 1005 and 1006 where it gave none. */
  readonly code: number;
  readonly reason: string;
}

/** Why a bridge or an executor's connection is over, and who brought it about. */
export interface Cause extends Pick<Ending, "label" | "code" | "reason"> {
  readonly by: "harness" | "executor" | "gateway";
}

/** The cause where a peer went: it closed, or it was lost. */
export function wentAway(by: Cause["by"], { wasClean, code, reason }: PeerClosed): Cause {
  return { by, label: wasClean ? "closed" : "lost", code, reason };
}

/** The cause where the gateway ended it. */
export function ended({ label, code, reason }: Ending): Cause {
  return { by: "gateway", label, code, reason };
}
