import { Drops } from "./drops.ts";
import { BRIDGE_ENDED, type Ending, EXECUTOR_GONE, HARNESS_LOST } from "./endings.ts";
import type { ExecutorLink } from "./executor_link.ts";
import type { EndBridge } from "./live_turns.ts";
import { closeSocket } from "./sockets.ts";

interface Bridge {
  readonly harness: WebSocket;
  readonly onEnd: () => void;
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
 * - The executor goes, is replaced or removed, or the gateway stops: the harness is closed.
 *
 * Frames that come while no bridge is up are dropped and counted, never kept for the next turn.
 */
export class ExclusiveLink implements ExecutorLink {
  readonly exeId: string;
  readonly kind = "exclusive";
  readonly registrationId: string | undefined;
  readonly drops = new Drops();

  readonly #executor: WebSocket;
  readonly #onLeave: () => void;
  #left = false;
  /** The bridge that holds the executor, from its upgrade on. */
  #bridge: Bridge | undefined;
  /** The same bridge once its websocket is open: where the executor's frames go. */
  #open: Bridge | undefined;

  /**
   * @param registrationId the registration it came by, if it did not dial in directly
   * @param executor the executor's websocket, open, with `binaryType` "arraybuffer"
   * @param onLeave called once, as soon as the executor takes no more bridges
   */
  constructor(
    exeId: string,
    registrationId: string | undefined,
    executor: WebSocket,
    onLeave: () => void,
  ) {
    this.exeId = exeId;
    this.registrationId = registrationId;
    this.#executor = executor;
    this.#onLeave = onLeave;
    executor.onmessage = ({ data }) => {
      const bridge = this.#open;
      if (bridge === undefined) {
        this.drops.count("no_bridge");
        return;
      }
      if (typeof data === "string") bridge.carriedText = true;
      bridge.harness.send(data);
    };
    executor.onclose = () => {
      this.#endBridge(EXECUTOR_GONE);
      this.#leave();
    };
  }

  admits(): boolean {
    return true;
  }

  /**
   * Joins a harness to the executor. The caller holds the bridge lock.
   *
   * @param harness its websocket, just upgraded, with `binaryType` "arraybuffer"
   * @param onEnd called once when the bridge is over, before any socket is closed
   * @returns ends the bridge, from the gateway's side
   */
  join(_turnId: string, harness: WebSocket, onEnd: () => void): EndBridge {
    const executor = this.#executor;
    const bridge: Bridge = { harness, onEnd, carriedText: false };
    this.#bridge = bridge;
    harness.onopen = () => {
      if (this.#bridge === bridge) this.#open = bridge;
      else closeSocket(harness, EXECUTOR_GONE);
    };
    harness.onmessage = ({ data }) => {
      if (this.#open !== bridge) return;
      if (typeof data === "string") bridge.carriedText = true;
      executor.send(data);
    };
    const end = (ending: Ending, harnessEnding?: Ending) => {
      if (this.#bridge !== bridge) return;
      this.#endBridge(harnessEnding);
      if (!bridge.carriedText) return;
      this.#leave();
      closeSocket(executor, ending);
    };
    harness.onclose = ({ wasClean }) => end(wasClean ? BRIDGE_ENDED : HARNESS_LOST);
    return (ending) => end(BRIDGE_ENDED, ending);
  }

  close(executor: Ending, harness: Ending): void {
    this.#endBridge(harness);
    this.#leave();
    closeSocket(this.#executor, executor);
  }

  #endBridge(ending?: Ending): void {
    const bridge = this.#bridge;
    if (bridge === undefined) return;
    this.#bridge = this.#open = undefined;
    bridge.onEnd();
    if (ending !== undefined) closeSocket(bridge.harness, ending);
  }

  #leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#onLeave();
  }
}
