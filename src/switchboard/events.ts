/**
 * What happens on the switchboard, for whoever wants to know: the log, the metrics, the marks of who was
 * seen. A listener is told in the order of what happens, and must not take long: it is called where it
 * happens.
 *
 * @module
 */
import type { ExecutorKind } from "../model.ts";
import type { Replacement } from "./contention.ts";
import type { Cause } from "./causes.ts";
import type { ExecutorLink } from "./executor_link.ts";

/** An executor's connection. */
export interface Connection {
  readonly link: ExecutorLink;
  /** The address that it came from. */
  readonly remote: string;
  /** What it was let in with, which whoever judges it knows; never shown. */
  readonly proof?: string;
  /** When it was there, on the monotonic clock, in milliseconds. */
  readonly since: number;
}

/** On whose behalf a bridge is, and where it leads. */
export interface BridgeInfo {
  readonly exeId: string;
  readonly kind: ExecutorKind;
  readonly turnId: string;
  readonly workspaceId: string;
  /** When the token was issued by which it came, in unix seconds; 0 where that is not known. */
  readonly issuedAt?: number;
  /** The harness's address. */
  readonly remote: string;
  /** When its request arrived, on the monotonic clock, in milliseconds. */
  readonly arrivedAt: number;
}

/** What passed over a bridge. Bytes of text frames are counted in UTF-16 units. */
export interface Passed {
  readonly framesToExecutor: number;
  readonly bytesToExecutor: number;
  readonly framesToHarness: number;
  readonly bytesToHarness: number;
  /** For how long the executor and the harness were held for the other's sake, in milliseconds. */
  readonly executorHeldMs: number;
  readonly harnessHeldMs: number;
}

/** What happened. */
export type SwitchboardEvent =
  | { readonly type: "executor connected"; readonly connection: Connection }
  | { readonly type: "executor replaced"; readonly exeId: string; readonly remote: string }
    & Replacement
  | {
    readonly type: "executor left";
    readonly connection: Connection;
    readonly cause: Cause;
    /** How long it was there, in milliseconds. */
    readonly ms: number;
  }
  | {
    readonly type: "bridge opened";
    readonly bridge: BridgeInfo;
    /** How long that took since its request arrived, in milliseconds. */
    readonly ms: number;
  }
  | {
    readonly type: "bridge ended";
    readonly bridge: BridgeInfo;
    readonly cause: Cause;
    readonly passed: Passed;
    /** How long it was up, in milliseconds; 0 where it never opened. */
    readonly ms: number;
  };

/** Told of each event. */
export type Listener = (event: SwitchboardEvent) => void;
