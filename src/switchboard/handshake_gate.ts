import {
  type Ending,
  HANDSHAKES_CROWDED,
  TOO_MANY_HANDSHAKES,
  WORKSPACE_HANDSHAKES,
} from "./close_codes.ts";
import type { Holder } from "./executor_link.ts";
import { Lately } from "./lately.ts";

/**
 * How many handshakes may fail on one connection of a Noise executor in a window of time. It counts them
 * itself: at the eighth in ten seconds 0.169 and 0.171 refuse every handshake for ten more, and at the eighth
 * since the connection began, whatever succeeded between, 0.142.5 drops it (all seen).
 */
const MAX_FAILED = 7;
const WINDOW_MS = 10_000;

/**
 * How many of them may be one turn's, and one workspace's where another uses the executor too; over what
 * time. Two workspaces that do their worst together stay below eight, and one turn leaves something to the
 * others of its workspace.
 */
const MAX_OF_TURN = 2;
const MAX_OF_WORKSPACE = 3;
const REMEMBERED_MS = 60 * 60_000;

/** How long a handshake may wait for its turn, in milliseconds: until the window has passed, whatever is in it. */
const MAX_WAIT_MS = 12_000;

/**
 * How long a handshake whose harness has gone counts as under way, in milliseconds. The executor
 * answers a bad one within a few, and one that was cancelled while it was being validated never.
 */
const ORPHAN_MS = 2_000;

interface Pending {
  readonly holder: Holder;
  orphanTimer?: ReturnType<typeof setTimeout>;
}

interface Waiting {
  readonly streamId: string;
  readonly holder: Holder;
  /** When it is refused, on the monotonic clock. */
  readonly until: number;
  readonly send: () => void;
  readonly refuse: (ending: Ending) => void;
}

/** What is waited for, where that is not as it is with real executors. */
export interface GateTimes {
  readonly windowMs?: number;
  readonly maxWaitMs?: number;
}

/**
 * Stands between harnesses and a Noise executor and counts the handshakes that the executor refused, so that
 * nobody's bad ones cost the others the executor. It needs no key for that: an executor answers a good
 * handshake with a Handshake and a bad one with a Reset.
 *
 * - A turn, and a workspace where there are others, is refused once it has had its share.
 * - Only as many are under way as could still fail; the others wait. Of those that wait, the next is one whose
 *   workspace, and then whose turn, has the fewest that failed or are under way: a good one is not kept back by
 *   any number of bad ones.
 *
 * A workspace that is alone on the executor has no share: it takes nothing from anybody.
 */
export class HandshakeGate {
  readonly #failed: Lately;
  readonly #failedTurns = new Lately(REMEMBERED_MS, MAX_OF_TURN);
  readonly #failedWorkspaces = new Lately(REMEMBERED_MS, MAX_OF_WORKSPACE);
  /** The workspaces that have tried. */
  readonly #workspaces = new Lately(REMEMBERED_MS, 1);
  readonly #pending = new Map<string, Pending>();
  /** By stream, in the order in which they came. */
  readonly #waiting = new Map<string, Waiting>();
  readonly #maxWaitMs: number;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor({ windowMs = WINDOW_MS, maxWaitMs = MAX_WAIT_MS }: GateTimes = {}) {
    this.#failed = new Lately(windowMs, MAX_FAILED);
    this.#maxWaitMs = maxWaitMs;
  }

  /** Why no handshake of a turn is let through; `undefined` when they are. */
  refusal({ turnId, workspaceId }: Holder): Ending | undefined {
    if (this.#failedTurns.count(turnId) >= MAX_OF_TURN) return TOO_MANY_HANDSHAKES;
    if (this.#isShared && this.#failedWorkspaces.count(workspaceId) >= MAX_OF_WORKSPACE) {
      return WORKSPACE_HANDSHAKES;
    }
  }

  /**
   * Lets a handshake through, now or later.
   *
   * @param send passes it on; called at most once
   * @param refuse called instead when too many have failed
   */
  offer(
    holder: Holder,
    streamId: string,
    send: () => void,
    refuse: (ending: Ending) => void,
  ): void {
    this.#workspaces.add(holder.workspaceId);
    const until = performance.now() + this.#maxWaitMs;
    this.#waiting.set(streamId, { streamId, holder, until, send, refuse });
    this.#pump();
  }

  /** Whether a stream's handshake is waiting to be sent. */
  isWaiting(streamId: string): boolean {
    return this.#waiting.has(streamId);
  }

  /** The executor answered on a stream: with a Handshake, or with a Reset. */
  answered(streamId: string, accepted: boolean): void {
    const pending = this.#pending.get(streamId);
    if (pending === undefined) return;
    clearTimeout(pending.orphanTimer);
    this.#pending.delete(streamId);
    if (!accepted) {
      this.#failed.add("");
      this.#failedTurns.add(pending.holder.turnId);
      this.#failedWorkspaces.add(pending.holder.workspaceId);
    }
    this.#pump();
  }

  /** A stream ended before the executor answered on it. */
  abandoned(streamId: string): void {
    this.#waiting.delete(streamId);
    const pending = this.#pending.get(streamId);
    if (pending === undefined) return;
    pending.orphanTimer ??= setTimeout(() => {
      this.#pending.delete(streamId);
      this.#pump();
    }, ORPHAN_MS);
    Deno.unrefTimer(pending.orphanTimer);
  }

  get #isShared(): boolean {
    return this.#workspaces.size > 1;
  }

  #pump(): void {
    const now = performance.now();
    for (const [streamId, { holder, until, refuse }] of this.#waiting) {
      const refusal = this.refusal(holder) ?? (now >= until ? HANDSHAKES_CROWDED : undefined);
      if (refusal !== undefined && this.#waiting.delete(streamId)) refuse(refusal);
    }
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      this.#waiting.delete(next.streamId);
      this.#pending.set(next.streamId, { holder: next.holder });
      next.send();
    }
    this.#wakeUp(now);
  }

  /** The one that goes next, if any may. */
  #next(): Waiting | undefined {
    if (this.#waiting.size === 0) return;
    if (this.#pending.size + this.#failed.count("") >= MAX_FAILED) return;
    const isShared = this.#isShared;
    let next: Waiting | undefined;
    let least = Infinity;
    for (const waiting of this.#waiting.values()) {
      // One that another bridge had on the same stream is not over yet.
      if (this.#pending.has(waiting.streamId)) continue;
      const { ofTurn, ofWorkspace } = this.#mayFail(waiting.holder);
      if (ofTurn >= MAX_OF_TURN || isShared && ofWorkspace >= MAX_OF_WORKSPACE) continue;
      const rank = ofWorkspace * (MAX_OF_TURN + 1) + ofTurn;
      if (rank >= least) continue;
      next = waiting;
      least = rank;
    }
    return next;
  }

  /** How many have failed, or may yet. */
  #mayFail({ turnId, workspaceId }: Holder): { ofTurn: number; ofWorkspace: number } {
    let ofTurn = this.#failedTurns.count(turnId);
    let ofWorkspace = this.#failedWorkspaces.count(workspaceId);
    for (const { holder } of this.#pending.values()) {
      if (holder.turnId === turnId) ofTurn++;
      if (holder.workspaceId === workspaceId) ofWorkspace++;
    }
    return { ofTurn, ofWorkspace };
  }

  /** Looks again when the window lets another through, or one has waited for too long. */
  #wakeUp(now: number): void {
    clearTimeout(this.#timer);
    const [first] = this.#waiting.values();
    if (first === undefined) return;
    const at = Math.min(first.until, this.#failed.endOfFirst("") ?? Infinity);
    this.#timer = setTimeout(() => this.#pump(), Math.max(at - now, 0) + 1);
    Deno.unrefTimer(this.#timer);
  }
}
