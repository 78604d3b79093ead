import { Buffer } from "node:buffer";
import { closeSocket } from "../runtime/close_socket.ts";
import { Heartbeat } from "../runtime/heartbeat.ts";
import { ReadLoop } from "../runtime/read_loop.ts";
import type { BufferBudget } from "./buffer_budget.ts";
import type { PeerClosed } from "./causes.ts";
import { type Ending, NO_ANSWER } from "./close_codes.ts";
import { KERNEL_BYTES, LARGE_BYTES, msToTake, STUCK_MS } from "./least_rate.ts";
import type { LeftBehind, Remainder } from "./unread.ts";
import { sizeOf } from "./traffic.ts";
import { afterTurn, ASK_AT, askForTurn, costOf, lastTurn, SHARE } from "./turns.ts";

/** From how many bytes on the memory of a message is given back at once. */
const RELEASE_FROM = 16 * 1024;

/** How often a peer is looked at in a ping interval. */
export const LOOKS_AN_INTERVAL = 4;

/** After how many looks without a sign of life it is dead: two intervals. */
const DEAD_LOOKS = 2 * LOOKS_AN_INTERVAL;

/** The same for one that lately had so much to take that its answer may still wait behind it: three intervals. */
const PATIENT_LOOKS = 3 * LOOKS_AN_INTERVAL;

/** What waits longer on a slow link than a peer may be silent, in bytes, together with what the kernel holds. */
const MUCH_BYTES = 64 * 1024;

/** For whose sake nothing is read from a peer that has had its share of a turn. */
const TURN = {};

/** How long nothing is read from one that was told to go and has sent a share more, in milliseconds. */
const CLOSING_PAUSE_MS = 100;

/** What the runtime says where a websocket ended without a close frame from the peer. */
const NO_CODE = 1005;

/**
 * An executor's or a harness's websocket, as its link holds it: it tells its end once, whether the runtime
 * reports it or the peer is given up, and it knows whether what is sent to the peer moves.
 */
export class PeerSocket {
  /** Takes each message. Large ones are emptied when it returns: it copies what it wants to keep. */
  onmessage: (data: string | ArrayBuffer) => void = () => {};
  /** Called once, when the peer has gone. */
  onclose: (closed: PeerClosed) => void = () => {};

  readonly #socket: WebSocket;
  readonly #loop: ReadLoop;
  readonly #heartbeat: Heartbeat;
  /** For whose sake nothing is read from it. */
  readonly #holds = new Set<object>();
  readonly #owner: string;
  readonly #leftBehind: LeftBehind;
  readonly #budget: BufferBudget;
  /** What is left of its share of a turn of the event loop, and of which. */
  #share = SHARE;
  #turn = 0;
  #closing = false;
  #gone = false;
  #remainder: Remainder | undefined;
  /** Bytes handed to the runtime, and what of them waited when it was last asked. */
  #sent = 0;
  #waiting = 0;
  /** How many bytes of the budget are counted as its own. */
  #counted = 0;
  /** Bytes that had gone at the last look. */
  #passed = 0;
  /** Large frames that may wait yet: where in all that was sent each ends, and its size in bytes. */
  readonly #large: { end: number; bytes: number }[] = [];
  /** What it had taken when it was last asked whether it takes a large one, and when that was news. */
  #takenBefore = 0;
  #tookAt = 0;
  #heard = false;
  /** Since when, in looks, nothing came from the peer, and since when it has taken nothing either. */
  #quietLooks = 0;
  #stillLooks = 0;
  /** How many looks more a peer has that lately had much to take: its answer waits behind that. */
  #graceLooks = 0;

  /**
   * @param socket just upgraded
   * @param owner whose it is, so that what it leaves behind can be held against it
   * @param budget what may wait in the whole process
   * @param slice with which others it is looked at
   */
  constructor(
    socket: WebSocket,
    owner: string,
    leftBehind: LeftBehind,
    budget: BufferBudget,
    readonly slice: number,
  ) {
    this.#socket = socket;
    this.#loop = new ReadLoop(socket);
    this.#heartbeat = new Heartbeat(socket, () => this.#onSign());
    this.#owner = owner;
    this.#leftBehind = leftBehind;
    this.#budget = budget;
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      this.#loop.handling();
      // A sign of life was counted already.
      const cost = costOf(sizeOf(data)) + (this.#heartbeat.isOurs ? 0 : 1);
      // What the peer had sent before it read the close frame goes to nobody.
      if (!this.#closing) this.onmessage(data);
      release(data);
      if (cost > 0) this.#spend(cost);
      this.#loop.handled(this.#holds.size > 0);
    };
    socket.onclose = ({ wasClean, code, reason }) => {
      this.#settle(wasClean && code !== NO_CODE);
      this.#end({ wasClean, code, reason });
    };
  }

  /** Bytes that wait to be sent. */
  get bufferedAmount(): number {
    this.#loop.settle();
    this.#waiting = this.#socket.bufferedAmount;
    if (this.#waiting !== this.#counted && !this.isOver) this.#count(this.#waiting);
    return this.#waiting;
  }

  /**
   * Whether too much waits in the whole process, and for this peer more than may then, by what waited when
   * that was last asked.
   *
   * @param part of what may
   */
  isOverBudget(part = 1): boolean {
    return this.#budget.isOver(this.#waiting, part);
  }

  /** The same as it was when it was last asked for. */
  get lastBufferedAmount(): number {
    return this.#waiting;
  }

  /** Bytes that have gone to the peer since the websocket opened, by what waited when that was last asked. */
  get takenBytes(): number {
    return this.#sent - this.#waiting;
  }

  /**
   * Whether a large frame is on its way to the peer that it has time for yet. The runtime says of a frame
   * that it waits until all of it has gone: who takes it slowly looks like one who takes nothing.
   *
   * @param now on the monotonic clock, in milliseconds
   */
  takesLargeFrame(now: number): boolean {
    const taken = this.takenBytes;
    while (this.#large.length > 0 && this.#large[0]!.end <= taken) this.#large.shift();
    if (this.#large.length === 0) return false;
    if (taken > this.#takenBefore) {
      this.#takenBefore = taken;
      this.#tookAt = now;
    }
    return now - this.#tookAt < msToTake(this.#large[0]!.bytes);
  }

  /** Whether it has gone, or was told to. */
  get isOver(): boolean {
    return this.#closing || this.#gone;
  }

  /**
   * Reads nothing more from the peer, after the message in hand or else the next one, so that TCP holds it
   * back; until {@linkcode PeerSocket.release} was called for each that holds it.
   *
   * @param by for whose sake
   */
  hold(by: object): void {
    if (!this.isOver) this.#holds.add(by);
  }

  /** Takes back a hold; reads on when it was the last. */
  release(by: object): void {
    if (this.#holds.delete(by) && this.#holds.size === 0) this.#loop.start();
  }

  /** Calls back when it is open. */
  whenOpen(callback: () => void): void {
    this.#socket.addEventListener("open", callback, { once: true });
  }

  /** Sends a message, unless the websocket is closing or closed. */
  send(data: string | ArrayBuffer | Uint8Array<ArrayBuffer>): void {
    const size = sizeOf(data);
    this.#sent += size;
    // A text may have three bytes for each of its units.
    if (3 * size >= LARGE_BYTES) this.#noteLarge(data);
    this.#loop.settle();
    this.#socket.send(data);
  }

  /** Closes it with a reason: as soon as it is open, if it is still opening. */
  close(ending: Ending): void {
    if (this.#closing || this.#gone) return;
    this.#closing = true;
    // Its good-bye is to be read.
    this.#holds.clear();
    this.#loop.settle();
    this.#loop.start();
    // The runtime says 0 from its close() on.
    const waiting = this.bufferedAmount;
    if (waiting > 0) this.#leave();
    this.#count(0);
    const left = Math.min(this.#sent, waiting + KERNEL_BYTES);
    closeSocket(this.#socket, ending, left > 0 ? STUCK_MS + msToTake(left) : 0);
  }

  /**
   * Takes the peer for gone without waiting for the runtime to say so. If it comes back it reads that it
   * was closed.
   */
  giveUp(): void {
    if (this.#gone) return;
    this.close(NO_ANSWER);
    this.#end({ ...NO_ANSWER, wasClean: false });
  }

  /**
   * Looks for signs of life, and asks for one where there was none for a while; to be called at a steady
   * pace, {@linkcode LOOKS_AN_INTERVAL} times in a ping interval.
   *
   * A ping waits behind what is sent, so that a peer lives as long as it answers or takes anything.
   *
   * @returns whether the peer is dead: it did neither for two intervals, or three where it lately had so much to
   * take that its answer may still wait behind it
   */
  look(): boolean {
    if (this.#closing) return false;
    this.#loop.settle();
    const isHeld = this.#holds.size > 0;
    // The runtime has given it up by itself, and with data before the close frame never ends.
    if (this.#socket.readyState === WebSocket.CLOSING) {
      this.#leave();
      return true;
    }
    // For a peer that nothing waits for and nothing was sent to, the runtime is not asked.
    const waits = this.#waiting > 0 || this.#sent > this.#passed;
    const passed = waits ? this.#sent - this.bufferedAmount : this.#sent;
    const moves = passed > this.#passed;
    if (this.#waiting > MUCH_BYTES) this.#graceLooks = PATIENT_LOOKS;
    else if (this.#graceLooks > 0) this.#graceLooks--;
    this.#passed = passed;
    this.#quietLooks = this.#heard ? 0 : this.#quietLooks + 1;
    // One that is held is not heard, and where the runtime pings by itself its answers are not: then only
    // what waits can tell.
    const mayTell = this.#heartbeat.isOurs && !isHeld || this.#waiting > 0;
    const isAlive = this.#heard || moves || !mayTell ||
      this.#large.length > 0 && this.takesLargeFrame(performance.now());
    this.#stillLooks = isAlive ? 0 : this.#stillLooks + 1;
    this.#heard = false;
    // Its answer could not be read, and many a client reads nothing more until it has written that.
    if (isHeld) this.#quietLooks = 0;
    if (this.#quietLooks % LOOKS_AN_INTERVAL === LOOKS_AN_INTERVAL - 1) this.#heartbeat.ping();
    return this.#stillLooks >= (this.#graceLooks > 0 ? PATIENT_LOOKS : DEAD_LOOKS);
  }

  /** Something came: a message, which is handled next, or the answer to a ping. */
  #onSign(): void {
    this.#heard = true;
    this.#spend(1);
    if (this.#holds.size > 0) this.#loop.stop();
  }

  /** Takes something of the peer's share of this turn of the event loop; when it is spent, others come first. */
  #spend(cost: number): void {
    if ((this.#share -= cost) > ASK_AT) return;
    if (this.#turn !== lastTurn()) {
      this.#turn = lastTurn();
      this.#share = SHARE;
    } else if (this.#share > 0) {
      askForTurn();
    } else if (this.#closing) {
      this.#pauseClosing();
    } else {
      this.hold(TURN);
      afterTurn((share) => {
        this.#turn = lastTurn();
        this.#share = share;
        this.release(TURN);
      });
    }
  }

  /** One that goes on sending though it was told to go is hardly read any more. */
  #pauseClosing(): void {
    this.#share = SHARE;
    this.#loop.stop();
    setTimeout(() => this.#loop.start(), CLOSING_PAUSE_MS);
  }

  #noteLarge(data: string | ArrayBuffer | Uint8Array): void {
    const bytes = typeof data === "string" ? Buffer.byteLength(data) : data.byteLength;
    if (bytes < LARGE_BYTES) return;
    if (this.#large.length === 0) this.#tookAt = performance.now();
    this.#large.push({ end: this.#sent, bytes });
  }

  #count(waiting: number): void {
    this.#budget.change(waiting - this.#counted);
    this.#counted = waiting;
  }

  /** What waits counts as left behind from now on. */
  #leave(): void {
    this.#remainder ??= this.#leftBehind.add(this.#owner, this.#waiting);
  }

  /** Once, though the runtime may report an end twice. */
  #settle(taken: boolean): void {
    if (this.#remainder !== undefined) this.#leftBehind.settle(this.#remainder, taken);
    this.#remainder = undefined;
  }

  #end(closed: PeerClosed): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#count(0);
    this.#heartbeat.stop();
    this.onclose(closed);
  }
}

/**
 * Gives the memory of a large message back. The collector would do so too, but late: it sees an object of
 * a few bytes, and when messages come faster than the runtime yields, hundreds of megabytes pile up.
 */
function release(data: string | ArrayBuffer): void {
  if (typeof data !== "string" && data.byteLength >= RELEASE_FROM) data.transfer(0);
}
