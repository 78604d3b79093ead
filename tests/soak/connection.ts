import { BadFrames, type BridgeBook, Count, type End, endingKey, OWN_REASON } from "./books.ts";
import { serveExclusive } from "./exclusive.ts";
import type { Executor } from "./executor.ts";
import { serveRelay } from "./relay.ts";
import { HELD_MS, Signal } from "./signal.ts";
import type { Closed, Socket } from "./socket.ts";

/** How many bridges a relay or Noise executor has at most. */
const MAX_BRIDGES = 6;

/** How long the gateway may take to end what it must end, in milliseconds: one who is held is not read from. */
const END_MS = HELD_MS;

/** How long an executor that leaves waits for its bridges, in milliseconds. */
const LEAVE_MS = 2 * HELD_MS;

/** An executor's connection: it serves echo, and its books are kept here. */
export class Connection {
  readonly exe: Executor;
  /** When the gateway had logged it. */
  knownAt = Infinity;
  readonly changed = new Signal();
  /** All that it sent and that could go to a bridge, or be dropped for want of one. */
  readonly sent = new Count();
  readonly bad = new BadFrames();
  end: End | undefined;
  endedWith: string | undefined;
  /** The endings that are its own doing, or that of the API. */
  readonly expected = new Set<string>([endingKey({ code: 1000, reason: OWN_REASON })]);
  /** The bridges that harnesses have in mind for it. */
  users = 0;
  /** Set when it takes no more bridges. */
  leaving = false;
  /** Whether it reads slowly just now, or one of its harnesses does. */
  hasSlow = false;
  /** Whether text has come: the gateway will close it. */
  carriedText = false;
  /** The streams that were claimed and not reset. */
  openStreams = 0;
  /** The streams that it made up, and how many of them were answered with a Reset. */
  readonly ghosts = new Set<string>();
  ghostResets = 0;
  #socket: Socket | undefined;

  constructor(exe: Executor) {
    this.exe = exe;
    if (exe.kind === "text") {
      this.expect({ code: 1000, reason: "bridge ended" });
      this.expect({ code: 1001, reason: "harness disconnected" });
    }
  }

  /** Its websocket. */
  get socket(): Socket {
    if (this.#socket === undefined) throw new Error("it is not open yet");
    return this.#socket;
  }

  get isOpen(): boolean {
    return this.end === undefined && this.socket.isOpen;
  }

  /** Whether a harness may pick it. */
  get isFree(): boolean {
    if (this.leaving || !this.isOpen) return false;
    return this.users < (this.exe.isExclusive ? 1 : MAX_BRIDGES);
  }

  /** Whether it was surely up, as the gateway knows it, from a moment until now. */
  wasUpSince(moment: number): boolean {
    return !this.leaving && this.isOpen && this.knownAt < moment;
  }

  /** From here on the gateway may close it so. */
  expect(ending: Closed): void {
    this.expected.add(endingKey(ending));
  }

  /** It is open. */
  open(socket: Socket): void {
    this.#socket = socket;
  }

  /** A message came. */
  receive(data: string | Uint8Array<ArrayBuffer>): void {
    try {
      if (this.exe.isExclusive) serveExclusive(this, data);
      else serveRelay(this, data);
    } catch (error) {
      this.breach(error instanceof Error ? error.message : `${error}`);
    }
    this.changed.notify();
  }

  /** It has closed. */
  close(closed: Closed): void {
    // It was refused.
    if (this.#socket === undefined) return;
    const key = this.endedWith = endingKey(closed);
    if (this.end === undefined) {
      this.end = closed.reason === OWN_REASON ? "own" : "gateway";
      if (!this.expected.has(key)) this.breach(`was closed with ${key}`);
    }
    this.exe.world.count(`executor: ${this.end === "cut" ? "cut" : key}`);
    this.changed.notify();
  }

  /** Sends a frame of a bridge's back to it. */
  reply(book: BridgeBook, message: string | Uint8Array): void {
    if (!this.socket.send(message)) return;
    this.sent.add(message.length);
    book.back.add(message.length);
  }

  /** Closes it, once its bridges have ended; resolves when it has closed. */
  async leave(): Promise<void> {
    this.leaving = true;
    const idle = () => !this.isOpen || (this.users === 0 && this.openStreams === 0);
    if (!await this.changed.until(idle, LEAVE_MS)) {
      this.breach(`has ${this.openStreams} streams that were not reset, ${this.users} users`);
    }
    if (this.isOpen && this.carriedText) {
      const closed = await this.changed.until(() => this.end !== undefined, END_MS);
      if (!closed) this.breach("carried text and was not closed when its bridge had ended");
    }
    await this.hangUp();
  }

  /** Closes it at once, whatever is under way. */
  async hangUp(): Promise<void> {
    this.leaving = true;
    if (this.isOpen) {
      this.markLeft("own");
      this.socket.close(OWN_REASON);
    }
    await this.untilClosed();
  }

  /** Destroys it without a close frame, or with bytes that are no frame. */
  async vanish(garbage?: Uint8Array): Promise<void> {
    this.leaving = true;
    if (this.isOpen) {
      this.markLeft("cut");
      // It may dial in again before the gateway notices.
      this.exe.happened({ code: 1001, reason: "executor dialled in anew" });
      this.end = "cut";
      if (garbage === undefined) this.socket.vanish();
      else this.socket.corrupt(garbage);
    }
    await this.untilClosed();
  }

  /** Waits until it has closed; it is a breach when that takes long. */
  async untilClosed(): Promise<void> {
    const closed = await this.changed.until(() => this.socket.closed !== undefined, END_MS);
    if (closed) return;
    this.breach(`is not closed after ${END_MS} ms; it expects ${[...this.expected].join(", ")}`);
    this.end ??= "cut";
    this.socket.vanish();
  }

  breach(what: string): void {
    const { kind, exeId, world } = this.exe;
    world.breaches.note(`${kind} executor ${exeId}: ${what}`);
  }

  /** From here on its harnesses read that it went, and what is on its way to it may be lost with it. */
  markLeft(how: "own" | "cut"): void {
    this.exe.happened({ code: 1001, reason: "executor disconnected" });
    this.mayLose(how);
  }

  /** From here on what is on its way to it may be lost, also of a harness that closes of itself meanwhile. */
  mayLose(how: "own" | "cut"): void {
    for (const book of this.exe.books) {
      if (book.connection !== undefined && book.connection !== this) continue;
      // The Reset of a bridge that has just ended may be on its way as well.
      const underWay = book.end === undefined || book.received.frames < book.sent.frames ||
        book.streams.some(({ claimed, resetBy }) => claimed && resetBy === undefined);
      if (underWay && !book.left.has(this)) book.left.set(this, how);
    }
  }
}
