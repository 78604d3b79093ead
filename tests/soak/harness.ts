import type { Random } from "../fuzz/random.ts";
import { frame, HARNESS_KEY } from "../support/relay.ts";
import { type Answer, capToken } from "./api.ts";
import { badFromHarness } from "./bad_frames.ts";
import { type BridgeBook, type End, endingKey, OWN_REASON, type StreamBook } from "./books.ts";
import type { Connection } from "./connection.ts";
import { checkExclusive, nextExclusive } from "./exclusive.ts";
import type { Executor } from "./executor.ts";
import { checkRelay, DONE, handshakeFrame, nextData, resetFrame } from "./relay.ts";
import { HELD_MS, sleep } from "./signal.ts";
import { type Closed, type Refusal, Socket } from "./socket.ts";
import type { World } from "./world.ts";

/**
 * How long an exclusive executor may still be held by the bridge before, in milliseconds: one that
 * vanishes as it is opened holds it for the gateway's limit of ten seconds.
 */
const RELEASE_MS = 12_000;

/** How much a harness has under way at most, in bytes; one that is slow on purpose, and others. */
const WINDOW = 64 * 1024;
const SLOW_WINDOW = 384 * 1024;

/** How a harness behaves while it talks. */
export interface Manner {
  /** How many messages it sends. */
  readonly messages: number;
  /** How likely each of them is to be followed by a frame that must be dropped. */
  readonly bad?: number;
  /** Whether it stops reading for a while, with less under way than may wait. */
  readonly slow?: boolean;
}

/** A harness: one bridge, from its opening to its end. */
export class Harness {
  readonly world: World;
  readonly random: Random;
  readonly connection: Connection;
  readonly book: BridgeBook;
  socket: Socket | undefined;
  /** What it is about to do. */
  plan = "";
  /** Data that was sent and has not come back. */
  #messagesUnderWay = 0;
  #bytesUnderWay = 0;

  private constructor(world: World, random: Random, connection: Connection) {
    this.world = world;
    this.random = random;
    this.connection = connection;
    connection.users++;
    this.book = world.ledger.openBridge(connection.exe, `turn_${crypto.randomUUID()}`);
    connection.exe.books.add(this.book);
  }

  /**
   * Opens a bridge to an executor that is connected.
   *
   * @returns `undefined` when it was refused because the executor went meanwhile
   */
  static async open(
    world: World,
    random: Random,
    connection: Connection,
  ): Promise<Harness | undefined> {
    const harness = new Harness(world, random, connection);
    const startedAt = performance.now();
    let refusal: Refusal | undefined;
    try {
      refusal = await harness.#dial();
      while (
        refusal?.status === 409 && connection.isOpen && performance.now() - startedAt < RELEASE_MS
      ) {
        await sleep(50);
        refusal = await harness.#dial();
      }
    } catch (error) {
      refusal = { status: 0, body: `${error}` };
    }
    if (refusal === undefined) return harness;
    if (connection.wasUpSince(startedAt)) {
      harness.breach(`was refused with ${refusal.status}: ${refusal.body}`);
    }
    world.count(`bridges refused with ${refusal.status === 0 ? refusal.body : refusal.status}`);
    harness.#ended("own");
    return undefined;
  }

  get exe(): Executor {
    return this.connection.exe;
  }

  get isOpen(): boolean {
    return this.book.end === undefined && this.socket!.isOpen;
  }

  /**
   * Claims its streams, and shakes hands on them where it is Noise; nothing on an exclusive bridge.
   *
   * @returns whether it is up
   */
  async start(badHandshake = false): Promise<boolean> {
    if (this.exe.isExclusive) return true;
    const count = 1 + this.random.below(3);
    if (badHandshake && !await this.#claim(true)) return false;
    for (let i = 0; i < count; i++) if (!await this.#claim(false)) return false;
    return true;
  }

  /** Sends messages, each when there is room for it; returns whether all of them were sent. */
  async talk({ messages, bad = 0, slow = false }: Manner): Promise<boolean> {
    if (slow) this.#stopReadingFor(200 + this.random.below(1_000));
    for (let i = 0; i < messages; i++) {
      const size = this.#size();
      if (!await this.#room(size, slow ? SLOW_WINDOW : WINDOW)) return false;
      this.sendMessage(size);
      if (this.random.chance(bad)) this.sendBad();
      if (this.random.chance(0.3)) await this.world.pace.pause(this.random, 80);
    }
    return true;
  }

  /** Waits until everything has come back; returns whether it has. */
  async drain(): Promise<boolean> {
    const { book } = this;
    const done = () => !this.isOpen || this.#messagesUnderWay === 0;
    if (!await book.changed.until(done, HELD_MS)) {
      this.breach(`${this.#messagesUnderWay} messages did not come back within ${HELD_MS} ms`);
    }
    book.drained = this.isOpen && this.#messagesUnderWay === 0;
    return book.drained;
  }

  /** Resets its streams, as a harness may before it closes. */
  resetStreams(): void {
    for (const { id } of this.book.streams.filter(isUsable)) this.#send(resetFrame(id, DONE));
  }

  /** Begins the closing handshake and waits until it has closed. */
  async close(): Promise<void> {
    if (this.isOpen) this.socket!.close(OWN_REASON);
    await this.untilEnded();
  }

  /** Destroys its connection, without a close frame or with bytes that are no frame. */
  vanish(garbage?: Uint8Array): void {
    if (!this.isOpen) return;
    this.#ended("cut");
    this.world.count("harness: cut");
    if (garbage === undefined) this.socket!.vanish();
    else this.socket!.corrupt(garbage);
  }

  /** Waits until its websocket has closed; it is a breach when that takes long. */
  async untilEnded(ms = HELD_MS): Promise<void> {
    if (await this.book.changed.until(() => this.socket!.closed !== undefined, ms)) return;
    this.breach(`is not closed after ${ms} ms; it expects ${[...this.book.expected].join(", ")}`);
    if (this.book.end === undefined) this.#ended("cut");
    this.socket!.vanish();
  }

  /** From here on the gateway may, or must, close it so. */
  expect(ending: Closed): void {
    this.book.expected.add(endingKey(ending));
  }

  /** Sends the next message, whether there is room or not. */
  sendMessage(size: number): void {
    const { book } = this;
    const message = this.exe.isExclusive
      ? nextExclusive(book, size)
      : nextData(this.random.pick(book.streams.filter(isUsable)), size);
    if (!this.#send(message)) return;
    this.#messagesUnderWay++;
    this.#bytesUnderWay += message.length;
  }

  /** Sends a frame that must be dropped and counted; exclusive bridges have none. */
  sendBad(): void {
    if (this.exe.isExclusive) return;
    const { reason, message } = badFromHarness(this.random);
    if (this.socket!.send(message)) this.book.bad.add(reason);
  }

  breach(what: string): void {
    const { id, exe } = this.book;
    this.world.breaches.note(
      `bridge ${id} of ${exe.kind} executor ${exe.exeId} (${this.plan}): ${what}`,
    );
  }

  /** The URL of a bridge of its turn, or why there is none. */
  async url(): Promise<string | Answer> {
    const { world, exe, book } = this;
    const token = await capToken(world.gateway, exe.exeId, book.turnId);
    if (exe.kind !== "noise") {
      const role = exe.kind === "relay" ? "&role=harness" : "";
      return `${world.gateway.wsUrl}/bridge/${exe.exeId}?token=${token}${role}`;
    }
    const answer = await world.api.ask(world, {
      method: "POST",
      route: "/cloud/environment/:exe_id/connect",
      path: `/cloud/environment/${exe.exeId}/connect`,
      bearer: token,
      body: { harness_public_key: HARNESS_KEY },
    });
    if (answer.status !== 200) return answer;
    const bundle = answer.body as { url: string; harness_key_authorization: string };
    book.authorization = bundle.harness_key_authorization;
    return bundle.url;
  }

  async #dial(): Promise<Refusal | undefined> {
    const { ledger } = this.world;
    const url = await this.url();
    if (typeof url !== "string") return { status: url.status, body: JSON.stringify(url.body) };
    const answer = await Socket.open(url, {
      onOpen: (socket) => {
        this.socket = socket;
        this.book.opened = true;
        ledger.joined++;
      },
      onMessage: (data) => this.#receive(data),
      onClose: (closed) => this.#closed(closed),
    });
    if (answer instanceof Socket) return undefined;
    ledger.noteRefusal("/bridge/:exe_id", answer.status);
    return answer;
  }

  async #claim(badHandshake: boolean): Promise<boolean> {
    const { book, exe } = this;
    const stream = this.world.ledger.openStream(book);
    // What comes after codex 0.171 begins a stream with its handshake.
    const resumes = exe.kind !== "noise" || this.random.chance(0.5);
    if (resumes) this.#send(frame(stream.id, "resume"));
    if (exe.kind === "noise") {
      this.#send(handshakeFrame(stream.id, badHandshake));
      const answered = () => !this.isOpen || stream.answered;
      if (!await book.changed.until(answered, HELD_MS)) {
        this.breach(`the handshake on ${stream.id} was not answered within ${HELD_MS} ms`);
      }
    }
    return this.isOpen;
  }

  async #room(size: number, window: number): Promise<boolean> {
    const { book } = this;
    const room = () =>
      !this.isOpen || this.#bytesUnderWay === 0 || this.#bytesUnderWay + size <= window;
    if (!await book.changed.until(room, HELD_MS)) {
      this.breach(`had no room for ${size} bytes within ${HELD_MS} ms`);
      return false;
    }
    return this.isOpen;
  }

  #size(): number {
    if (this.random.chance(0.9)) return this.random.below(2_000);
    return this.random.chance(0.9) ? this.random.below(32_000) : this.random.below(200_000);
  }

  #send(message: string | Uint8Array): boolean {
    if (!this.socket!.send(message)) return false;
    this.exe.underWay(this.book, message.length);
    this.book.sent.add(message.length);
    return true;
  }

  async #stopReadingFor(ms: number): Promise<void> {
    this.world.count("slow readers below the limit");
    this.socket!.stopReading();
    await sleep(ms);
    this.socket!.goOnReading();
  }

  #receive(data: string | Uint8Array<ArrayBuffer>): void {
    const { book } = this;
    const before = this.#dataBack();
    try {
      if (this.exe.isExclusive) checkExclusive(book, data);
      else checkRelay(book, data);
    } catch (error) {
      this.breach(error instanceof Error ? error.message : `${error}`);
    }
    if (this.#dataBack() > before) {
      this.#messagesUnderWay--;
      this.#bytesUnderWay -= data.length;
    }
    book.changed.notify();
  }

  /** How many messages have come back, handshakes and resets apart. */
  #dataBack(): number {
    const { streams, home } = this.book;
    return this.exe.isExclusive
      ? home.frames
      : streams.reduce((sum: number, { atHarness }: StreamBook) => sum + atHarness, 0);
  }

  #closed(closed: Closed): void {
    const { book, exe } = this;
    const key = endingKey(closed);
    if (book.end === undefined && book.opened) {
      this.#ended(closed.reason === OWN_REASON ? "own" : "gateway");
      if (!book.expected.has(key) && !exe.explains(key, book)) {
        this.breach(`was closed with ${key}`);
      }
      this.world.count(`harness: ${key}`);
    }
    book.endedWith ??= key;
    book.changed.notify();
  }

  #ended(end: End): void {
    const { book, exe, connection } = this;
    exe.settle(book);
    book.end = end;
    const carried = book.sent.frames > 0;
    // A text executor is closed after its bridge. What a binary one has yet to send back would go to
    // its next bridge, so it leaves of itself.
    if (carried && exe.isExclusive && (exe.kind === "text" || !book.drained)) {
      for (const one of [connection, book.connection]) if (one !== undefined) one.leaving = true;
    }
    connection.users--;
    connection.changed.notify();
    book.changed.notify();
  }
}

/** Whether the executor has not refused its handshake. */
function isUsable({ resetBy }: StreamBook): boolean {
  return resetBy !== "executor";
}
