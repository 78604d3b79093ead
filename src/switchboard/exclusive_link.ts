import type { Registration } from "../model.ts";
import { DroppedRow } from "./dropped_row.ts";
import { Drops } from "./drops.ts";
import {
  BRIDGE_ENDED,
  type Ending,
  EXECUTOR_FRAME_TOO_LARGE,
  EXECUTOR_GONE,
  EXECUTOR_SENT_NOTHING_OF_USE,
  EXECUTOR_TOO_SLOW,
  FRAME_TOO_LARGE,
  HARNESS_LOST,
  NOTHING_OF_USE,
  TOO_SLOW,
} from "./close_codes.ts";
import { type Cause, ended, wentAway } from "./causes.ts";
import type { ExecutorLink, Join, OnBridgeEnd } from "./executor_link.ts";
import type { LinkLimits } from "./limits.ts";
import type { EndBridge } from "./live_turns.ts";
import type { PeerSocket } from "./peer_socket.ts";
import type { Pressure } from "./pressure.ts";
import type { Traffic } from "./traffic.ts";
import { passedOver, Wire } from "./wire.ts";

interface Bridge {
  readonly harness: PeerSocket;
  readonly toHarness: Wire;
  readonly toExecutor: Wire;
  readonly onEnd: OnBridgeEnd;
  readonly end: EndBridge;
  /** To be called when the first frame passes, either way; nothing once it was. */
  onBegin: (() => void) | undefined;
  carriedText: boolean;
}

/**
 * An executor that serves one bridge at a time: whatever frame comes from one side goes to the other
 * as it is, text or binary, whole and in order.
 *
 * The link owns the end of its bridge, whichever side brings it about:
 *
 * - The harness goes: the executor is closed if the bridge carried text, because a text executor
 *   serves one JSON-RPC session a websocket and would refuse the next turn's `initialize`. One whose
 *   bridge carried only binary frames, or none, keeps its socket for the next bridge.
 * - Either takes nothing for half a minute of what waits for it: that one is closed.
 * - The executor goes, is replaced or removed, or the gateway stops: the harness is closed.
 *
 * Frames that come while no bridge is up are dropped and counted, never kept for the next turn.
 */
export class ExclusiveLink implements ExecutorLink {
  readonly exeId: string;
  readonly kind = "exclusive";
  readonly registration: Registration | undefined;
  readonly drops: Drops;
  readonly streamCount = 0;

  readonly #limits: LinkLimits;
  readonly #traffic: Traffic;
  readonly #pressure: Pressure;
  readonly #executor: PeerSocket;
  readonly #onLeave: (cause: Cause) => void;
  readonly #droppedRow = new DroppedRow();
  #left = false;
  /** The bridge that holds the executor, from its upgrade on. */
  #bridge: Bridge | undefined;
  /** The same bridge once its websocket is open: where the executor's frames go. */
  #open: Bridge | undefined;

  /**
   * @param registration the one that it came by, if it did not dial in directly
   * @param executor the executor's websocket, open
   * @param onLeave called once, as soon as the executor takes no more bridges
   */
  constructor(
    exeId: string,
    registration: Registration | undefined,
    limits: LinkLimits,
    traffic: Traffic,
    pressure: Pressure,
    executor: PeerSocket,
    onLeave: (cause: Cause) => void,
  ) {
    this.exeId = exeId;
    this.registration = registration;
    this.#limits = limits;
    this.#traffic = traffic;
    this.#pressure = pressure;
    this.drops = new Drops(traffic.drops);
    this.#executor = executor;
    this.#onLeave = onLeave;
    executor.onmessage = (data) => {
      const bridge = this.#open;
      if (bridge === undefined) {
        this.drops.count("no_bridge");
        if (this.#droppedRow.isTooLong()) this.close(NOTHING_OF_USE, EXECUTOR_SENT_NOTHING_OF_USE);
        return;
      }
      if (bridge.toHarness.refuses(data)) return;
      begin(bridge);
      if (typeof data === "string") bridge.carriedText = true;
      bridge.toHarness.send(data);
    };
    executor.onclose = (closed) => {
      const cause = wentAway("executor", closed);
      this.#leave(cause);
      this.#endBridge(cause, EXECUTOR_GONE);
    };
  }

  get bridgeCount(): number {
    return this.#bridge === undefined ? 0 : 1;
  }

  /** It has no handshakes that the gateway would know. */
  refusal(): undefined {}

  /** The caller holds the bridge lock. */
  open(): Promise<Join> {
    return Promise.resolve((...args) => this.#join(...args));
  }

  #join(...[harness, onEnd, onBegin]: Parameters<Join>): EndBridge {
    const executor = this.#executor;
    const end = (cause: Cause, ending: Ending, harnessEnding?: Ending) => {
      if (this.#bridge !== bridge) return;
      this.#endBridge(cause, harnessEnding);
      if (!bridge.carriedText) return;
      this.#leave(ended(ending));
      executor.close(ending);
    };
    const common = { ...this.#limits, traffic: this.#traffic, pressure: this.#pressure };
    const bridge: Bridge = {
      harness,
      toHarness: new Wire(executor, harness, {
        ...common,
        side: "executor",
        onTooLarge: () => this.close(FRAME_TOO_LARGE, EXECUTOR_FRAME_TOO_LARGE),
        onStuck: () => bridge.end(TOO_SLOW),
      }),
      toExecutor: new Wire(harness, executor, {
        ...common,
        side: "harness",
        onTooLarge: () => bridge.end(FRAME_TOO_LARGE),
        onStuck: () => this.close(TOO_SLOW, EXECUTOR_TOO_SLOW),
      }),
      onEnd,
      end: (ending) => end(ended(ending), BRIDGE_ENDED, ending),
      onBegin,
      carriedText: false,
    };
    this.#bridge = bridge;
    harness.whenOpen(() => {
      if (this.#bridge !== bridge) return;
      this.#open = bridge;
      this.#droppedRow.broken();
    });
    harness.onmessage = (data) => {
      if (this.#open !== bridge) return;
      if (bridge.toExecutor.refuses(data)) return;
      begin(bridge);
      if (typeof data === "string") bridge.carriedText = true;
      bridge.toExecutor.send(data);
    };
    harness.onclose = (closed) =>
      end(wentAway("harness", closed), closed.wasClean ? BRIDGE_ENDED : HARNESS_LOST);
    return bridge.end;
  }

  close(executor: Ending, harness: Ending): void {
    this.#leave(ended(executor));
    this.#endBridge(ended(harness), harness);
    this.#executor.close(executor);
  }

  #endBridge(cause: Cause, ending?: Ending): void {
    const bridge = this.#bridge;
    if (bridge === undefined) return;
    this.#bridge = this.#open = undefined;
    this.#droppedRow.excuse();
    bridge.toHarness.end();
    bridge.toExecutor.end();
    bridge.onEnd(cause, passedOver(bridge));
    if (ending !== undefined) bridge.harness.close(ending);
  }

  #leave(cause: Cause): void {
    if (this.#left) return;
    this.#left = true;
    this.#onLeave(cause);
  }
}

function begin(bridge: Bridge): void {
  if (bridge.onBegin === undefined) return;
  bridge.onBegin();
  bridge.onBegin = undefined;
}
