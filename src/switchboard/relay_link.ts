import { Holdings } from "../limits/quota.ts";
import type { ExecutorKind, Registration } from "../model.ts";
import { DroppedRow } from "./dropped_row.ts";
import { type DropReason, Drops } from "./drops.ts";
import {
  type Ending,
  EXECUTOR_FRAME_TOO_LARGE,
  EXECUTOR_GONE,
  EXECUTOR_SENT_NOTHING_OF_USE,
  EXECUTOR_TOO_SLOW,
  FIRST_FRAME_CLAIMS_NOTHING,
  FIRST_FRAME_INVALID,
  FRAME_TOO_LARGE,
  HANDSHAKE_WITHOUT_NOISE,
  HOLDS_OTHERS,
  NEEDS_NOISE_HARNESS,
  NEEDS_RELAY_HARNESS,
  NOISE_FRAME_TOO_LARGE,
  NOTHING_OF_USE,
  STREAM_IN_USE,
  TOO_MANY_STREAMS,
  TOO_SLOW,
  TURN_STREAMS,
} from "./close_codes.ts";
import { type Cause, ended, wentAway } from "./causes.ts";
import type { ExecutorLink, Holder, Join, OnBridgeEnd } from "./executor_link.ts";
import { type GateTimes, HandshakeGate } from "./handshake_gate.ts";
import { isTooLarge, type LinkLimits } from "./limits.ts";
import type { EndBridge } from "./live_turns.ts";
import { Body, type FrameHeader, readFrame, resetFrame } from "./relay_frame.ts";
import type { PeerSocket } from "./peer_socket.ts";
import { Patience } from "./patience.ts";
import type { Pressure } from "./pressure.ts";
import type { Traffic } from "./traffic.ts";
import { HIGH_MARK, passedOver, Wire } from "./wire.ts";

/** What a Reset that the gateway makes says, where no ending of its own does. */
const BRIDGE_CLOSED = "bridge closed";
const UNKNOWN_STREAM = "no bridge holds this stream";

/**
 * For how long an executor that was told that a stream is over is not told again, in milliseconds: what it
 * had sent before it read so may be thousands of frames.
 */
const TOLD_MS = 100;

interface Bridge {
  readonly holder: Holder;
  readonly harness: PeerSocket;
  readonly toHarness: Wire;
  readonly toExecutor: Wire;
  readonly onEnd: OnBridgeEnd;
  readonly onBegin: () => void;
  /** The streams it has claimed and that were not reset. */
  readonly streams: Set<string>;
  readonly droppedRow: DroppedRow;
  /** Whether it has ever claimed one: what cannot be routed is then dropped, and before that ends it. */
  begun: boolean;
  ended: boolean;
}

/** The largest websocket message that a Noise endpoint takes, in bytes (protocol.md section 5). */
const MAX_NOISE_FRAME_BYTES = 256 * 1024;

/**
 * How much may wait for the harnesses of a turn while others use the executor too, in bytes: beyond its part
 * of it for one of them the executor is held, and with it all of them.
 */
const SHARED_HIGH_MARK = 8 * HIGH_MARK;

/** Which part of an executor's streams a turn may hold, so that it keeps no other out. */
const TURN_PART = 0.5;

/** What bounds a relay executor. */
export interface RelayLimits extends LinkLimits {
  /** How many streams its bridges may hold together. */
  readonly maxStreams: number;
  /** For how long failed handshakes count, and others wait for them; tests make it otherwise. */
  readonly handshakes?: GateTimes;
}

/**
 * An executor whose socket carries many streams, one for each harness connection. A bridge claims a
 * stream with its first frame on it, a Resume or (on a Noise executor; codex after 0.171) a Handshake, and
 * may use only what it has claimed; frames go on as the bytes that came.
 *
 * The link owns the end of its bridges, whichever side brings it about:
 *
 * - A harness goes: the executor is sent a Reset for every stream that it still held, because it
 *   would else let the commands of a dead harness run for ever.
 * - A harness takes nothing for half a minute of what waits for it, or reads so slowly that the others on the
 *   executor wait for it half of the time: it is closed, and its streams reset.
 * - The executor takes nothing for half a minute: it is closed, and dials again.
 * - The executor goes, is replaced or removed, or the gateway stops: its harnesses are closed.
 *
 * A frame that cannot be routed is dropped and counted; the other streams do not notice. When it is a
 * bridge's first, its harness would wait for an answer for ever: it is closed, and reads why.
 */
export class RelayLink implements ExecutorLink {
  readonly exeId: string;
  readonly kind: Exclude<ExecutorKind, "exclusive">;
  readonly registration: Registration;
  readonly drops: Drops;

  readonly #executor: PeerSocket;
  readonly #onLeave: (cause: Cause) => void;
  readonly #limits: RelayLimits;
  readonly #traffic: Traffic;
  readonly #pressure: Pressure;
  readonly #streams = new Map<string, Bridge>();
  readonly #bridges = new Set<Bridge>();
  readonly #turnStreams: Holdings;
  readonly #turnBridges = new Holdings(Infinity);
  /** Plaintext relay executors have no handshake. */
  readonly #gate: HandshakeGate | undefined;
  readonly #droppedRow = new DroppedRow();
  #left = false;
  /** The stream that the executor was last told to be over, and when. */
  #toldStream = "";
  #toldAt = 0;

  /**
   * @param registration the one that it came by
   * @param executor the executor's websocket, open
   * @param onLeave called once, as soon as the executor takes no more bridges
   */
  constructor(
    exeId: string,
    registration: Registration & Pick<RelayLink, "kind">,
    limits: RelayLimits,
    traffic: Traffic,
    pressure: Pressure,
    executor: PeerSocket,
    onLeave: (cause: Cause) => void,
  ) {
    this.exeId = exeId;
    this.kind = registration.kind;
    this.registration = registration;
    this.#limits = limits;
    this.#turnStreams = new Holdings(Math.ceil(limits.maxStreams * TURN_PART));
    this.#traffic = traffic;
    this.#pressure = pressure;
    this.drops = new Drops(traffic.drops);
    this.#gate = this.kind === "noise" ? new HandshakeGate(limits.handshakes) : undefined;
    this.#executor = executor;
    this.#onLeave = onLeave;
    executor.onmessage = (data) => this.#fromExecutor(data);
    executor.onclose = (closed) => {
      const cause = wentAway("executor", closed);
      this.#leave(cause);
      this.#endAll(cause, EXECUTOR_GONE);
    };
  }

  get bridgeCount(): number {
    return this.#bridges.size;
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  refusal(holder: Holder): Ending | undefined {
    return this.#gate?.refusal(holder);
  }

  open(holder: Holder): Promise<Join> {
    return Promise.resolve((...args) => this.#join(holder, ...args));
  }

  #join(holder: Holder, ...[harness, onEnd, onBegin]: Parameters<Join>): EndBridge {
    const common = { ...this.#limits, traffic: this.#traffic, pressure: this.#pressure };
    const patience = new Patience();
    const bridge: Bridge = {
      holder,
      harness,
      toHarness: new Wire(this.#executor, harness, {
        ...common,
        side: "executor",
        highMark: () => this.#highMark(bridge),
        onTooLarge: () => this.close(FRAME_TOO_LARGE, EXECUTOR_FRAME_TOO_LARGE),
        onStuck: () => this.#endBridge(bridge, TOO_SLOW),
        onHeld: (ms, now) => {
          if (this.#isShared(bridge) && patience.spend(ms, now)) {
            this.#endBridge(bridge, HOLDS_OTHERS);
          }
        },
      }),
      toExecutor: new Wire(harness, this.#executor, {
        ...common,
        side: "harness",
        onTooLarge: () => this.#endBridge(bridge, FRAME_TOO_LARGE),
        onStuck: () => this.close(TOO_SLOW, EXECUTOR_TOO_SLOW),
      }),
      onEnd,
      onBegin,
      streams: new Set(),
      droppedRow: new DroppedRow(),
      begun: false,
      ended: false,
    };
    this.#bridges.add(bridge);
    this.#turnBridges.add(holder.turnId);
    harness.onmessage = (data) => {
      if (!bridge.ended) this.#fromHarness(bridge, data);
    };
    harness.onclose = (closed) => this.#endFor(bridge, wentAway("harness", closed));
    return (ending) => this.#endBridge(bridge, ending);
  }

  close(executor: Ending, harness: Ending): void {
    this.#leave(ended(executor));
    this.#endAll(ended(harness), harness);
    this.#executor.close(executor);
  }

  #fromExecutor(data: string | ArrayBuffer): void {
    if (typeof data === "string") return this.#dropFromExecutor("text_frame");
    // Before it is known whose it is: what is no frame may be too large as well.
    if (isTooLarge(data, this.#limits.maxFrameBytes)) {
      return this.close(FRAME_TOO_LARGE, EXECUTOR_FRAME_TOO_LARGE);
    }
    const frame = readFrame(new Uint8Array(data));
    if (typeof frame === "string") return this.#dropFromExecutor(frame);
    const bridge = this.#streams.get(frame.streamId);
    this.#noteAnswer(frame);
    if (bridge === undefined) {
      this.#dropFromExecutor("unknown_stream");
      // A Reset needs no answer: that stream is over on both sides.
      if (frame.body !== Body.reset && !this.#left) this.#answerUnknown(frame.streamId);
      return;
    }
    this.#droppedRow.broken();
    if (this.#isTooLargeForNoise(data)) return this.#endBridge(bridge, NOISE_FRAME_TOO_LARGE);
    if (bridge.toHarness.refuses(data)) return;
    bridge.toHarness.send(data);
    if (frame.body === Body.reset) this.#release(bridge, frame.streamId);
  }

  #fromHarness(bridge: Bridge, data: string | ArrayBuffer): void {
    if (typeof data === "string") {
      // A harness that begins with text will never do anything else: tell it what is needed here.
      return this.#drop(bridge, "text_frame", this.#needed());
    }
    if (bridge.toExecutor.refuses(data)) return;
    if (this.#isTooLargeForNoise(data)) return this.#endBridge(bridge, NOISE_FRAME_TOO_LARGE);
    const frame = readFrame(new Uint8Array(data));
    if (typeof frame === "string") return this.#drop(bridge, frame, FIRST_FRAME_INVALID);
    const { streamId, body } = frame;
    if (!bridge.streams.has(streamId)) {
      if (body === Body.handshake && this.#gate === undefined) {
        return this.#drop(bridge, "unclaimed_stream", HANDSHAKE_WITHOUT_NOISE);
      }
      if (body !== Body.resume && body !== Body.handshake) {
        return this.#drop(bridge, "unclaimed_stream", FIRST_FRAME_CLAIMS_NOTHING);
      }
      if (!this.#claim(bridge, streamId)) return;
    }
    if (this.#gate !== undefined) {
      if (this.#gate.isWaiting(streamId)) {
        return this.#drop(bridge, "before_handshake");
      }
      if (body === Body.handshake) return this.#handshake(this.#gate, bridge, streamId, data);
    }
    bridge.droppedRow.broken();
    bridge.toExecutor.send(data);
    if (body === Body.reset) this.#release(bridge, streamId);
  }

  /** Drops a harness's frame; one that has claimed nothing yet is closed too, and one that sends nothing else. */
  #drop(bridge: Bridge, reason: DropReason, ifFirst: Ending = FIRST_FRAME_INVALID): void {
    this.drops.count(reason);
    if (!bridge.begun) this.#endBridge(bridge, ifFirst);
    else if (bridge.droppedRow.isTooLong()) this.#endBridge(bridge, NOTHING_OF_USE);
  }

  #dropFromExecutor(reason: DropReason): void {
    this.drops.count(reason);
    if (this.#droppedRow.isTooLong()) this.close(NOTHING_OF_USE, EXECUTOR_SENT_NOTHING_OF_USE);
  }

  #handshake(gate: HandshakeGate, bridge: Bridge, streamId: string, data: ArrayBuffer): void {
    const kept = data.slice();
    gate.offer(
      bridge.holder,
      streamId,
      () => bridge.toExecutor.send(kept),
      (refusal) => this.#refuse(bridge, streamId, refusal),
    );
  }

  #highMark(bridge: Bridge): number {
    if (!this.#isShared(bridge)) return HIGH_MARK;
    return Math.max(HIGH_MARK, SHARED_HIGH_MARK / this.#turnBridges.count(bridge.holder.turnId));
  }

  /** Whether others hold streams on the executor too. */
  #isShared(bridge: Bridge): boolean {
    return this.#streams.size > bridge.streams.size;
  }

  /** An executor answers a handshake with one of its own, or refuses it with a Reset. */
  #noteAnswer({ streamId, body }: FrameHeader): void {
    if (body === Body.handshake) this.#gate?.answered(streamId, true);
    else if (body === Body.reset) this.#gate?.answered(streamId, false);
  }

  /** One that a Noise endpoint was given would cost it its whole connection. */
  #isTooLargeForNoise(data: ArrayBuffer): boolean {
    const tooLarge = this.kind === "noise" && data.byteLength > MAX_NOISE_FRAME_BYTES;
    if (tooLarge) this.drops.count("too_large");
    return tooLarge;
  }

  /** Gives a stream to a bridge; a bridge that cannot have it is told why, and ended. */
  #claim(bridge: Bridge, streamId: string): boolean {
    const refusal = this.#take(bridge, streamId);
    if (refusal !== undefined) {
      this.#refuse(bridge, streamId, refusal);
      return false;
    }
    this.#streams.set(streamId, bridge);
    bridge.streams.add(streamId);
    if (!bridge.begun) {
      bridge.begun = true;
      bridge.onBegin();
    }
    return true;
  }

  /** Takes a stream of a turn's share, or says why its bridge cannot have it. */
  #take({ holder: { turnId } }: Bridge, streamId: string): Ending | undefined {
    const { maxStreams } = this.#limits;
    if (this.#streams.has(streamId)) return STREAM_IN_USE;
    if (this.#streams.size >= maxStreams) return TOO_MANY_STREAMS;
    if (!this.#turnStreams.take(turnId)) return TURN_STREAMS;
  }

  /** Tells a bridge why it cannot have what it asked for, and ends it. */
  #refuse(bridge: Bridge, streamId: string, refusal: Ending): void {
    bridge.harness.send(resetFrame(streamId, refusal.reason));
    this.#endBridge(bridge, refusal);
  }

  #release(bridge: Bridge, streamId: string): void {
    this.#gate?.abandoned(streamId);
    this.#turnStreams.release(bridge.holder.turnId);
    this.#droppedRow.excuse();
    this.#streams.delete(streamId);
    bridge.streams.delete(streamId);
  }

  #needed(): Ending {
    return this.kind === "noise" ? NEEDS_NOISE_HARNESS : NEEDS_RELAY_HARNESS;
  }

  /** Tells the executor that no bridge holds a stream; one that does not read what it is told is closed. */
  #answerUnknown(streamId: string): void {
    const told = streamId === this.#toldStream && performance.now() - this.#toldAt < TOLD_MS;
    if (told) return;
    if (this.#executor.bufferedAmount > this.#limits.maxBufferedBytes) {
      return this.close(TOO_SLOW, EXECUTOR_TOO_SLOW);
    }
    this.#resetExecutor(streamId, UNKNOWN_STREAM);
  }

  #resetExecutor(streamId: string, reason: string): void {
    this.#toldStream = streamId;
    this.#toldAt = performance.now();
    this.#executor.send(resetFrame(streamId, reason));
  }

  #endAll(cause: Cause, ending: Ending): void {
    for (const bridge of [...this.#bridges]) this.#endFor(bridge, cause, ending);
  }

  #endBridge(bridge: Bridge, ending: Ending): void {
    this.#endFor(bridge, ended(ending), ending);
  }

  /** @param ending what the harness is told, if it has not gone */
  #endFor(bridge: Bridge, cause: Cause, ending?: Ending): void {
    if (bridge.ended) return;
    bridge.ended = true;
    this.#bridges.delete(bridge);
    this.#turnBridges.release(bridge.holder.turnId);
    bridge.toHarness.end();
    bridge.toExecutor.end();
    for (const streamId of bridge.streams) {
      this.#release(bridge, streamId);
      this.#resetExecutor(streamId, ending?.reason ?? BRIDGE_CLOSED);
    }
    bridge.onEnd(cause, passedOver(bridge));
    if (ending !== undefined) bridge.harness.close(ending);
  }

  #leave(cause: Cause): void {
    if (this.#left) return;
    this.#left = true;
    this.#onLeave(cause);
  }
}
