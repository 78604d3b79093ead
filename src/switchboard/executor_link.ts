import type { ExecutorKind, Registration } from "../model.ts";
import type { Drops } from "./drops.ts";
import type { Cause } from "./causes.ts";
import type { Ending } from "./close_codes.ts";
import type { BridgeInfo, Passed } from "./events.ts";
import type { EndBridge } from "./live_turns.ts";
import type { PeerSocket } from "./peer_socket.ts";

/**
 * Whether an executor that was here dials the same URL again of itself, for as long as it takes, and need
 * not register before: its process outlives an outage of its link.
 */
export function dialsAgain(
  { kind, registration }: Pick<ExecutorLink, "kind" | "registration">,
): boolean {
  return kind === "noise" || registration?.direct === true;
}

/** Who has a share of an executor: a turn, and its workspace. */
export type Holder = Pick<BridgeInfo, "turnId" | "workspaceId">;

/**
 * Joins a harness to an executor.
 *
 * @param harness its websocket, just upgraded
 * @param onEnd called once when the bridge is over, before any socket is closed
 * @param onBegin called once when the bridge is of use: a stream is claimed, or on an exclusive executor the first
 * frame has passed
 * @returns ends the bridge, from the gateway's side
 */
export type Join = (harness: PeerSocket, onEnd: OnBridgeEnd, onBegin: () => void) => EndBridge;

/** Told why a bridge is over, and what had passed. */
export type OnBridgeEnd = (cause: Cause, passed: Passed) => void;

/** An executor's live connection, as the registry holds it. */
export interface ExecutorLink {
  readonly exeId: string;
  readonly kind: ExecutorKind;
  /** The registration that its socket came by; absent when it dialled with its registration token. */
  readonly registration?: Registration;
  /** The frames of this connection that went to nobody. */
  readonly drops: Drops;
  /** How many bridges are up on it. */
  readonly bridgeCount: number;
  /** How many streams its bridges hold. */
  readonly streamCount: number;

  /** Why a turn may not open a bridge, because too many handshakes have failed; `undefined` when it may. */
  refusal(holder: Holder): Ending | undefined;

  /**
   * Makes ready for a bridge, which may take time where the executor is elsewhere.
   *
   * @param holder on whose behalf
   */
  open(holder: Holder): Promise<Join>;

  /**
   * Ends its bridges and closes its socket.
   *
   * @param executor what the executor reads
   * @param harness what its harnesses read
   */
  close(executor: Ending, harness: Ending): void;
}
