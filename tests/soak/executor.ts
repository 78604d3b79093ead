import type { Random } from "../fuzz/random.ts";
import { NOISE_REGISTRATION } from "../support/relay.ts";
import { type BridgeBook, endingKey } from "./books.ts";
import { Connection } from "./connection.ts";
import { type Closed, Socket } from "./socket.ts";
import type { World } from "./world.ts";

/** What an executor speaks: text and binary are both exclusive. */
export type Kind = "text" | "binary" | "relay" | "noise";

/** How long before a bridge's opening something may have happened to be the reason for its end. */
const EARLIER_MS = 5_000;

/**
 * How often within which time, in milliseconds, it takes its own place: from the fourth time within a minute
 * on the gateway takes it for two machines, and refuses the newcomer. One that has vanished may count too.
 */
const REPLACED_AT_MOST = 2;
const REPLACED_WITHIN_MS = 65_000;

/** An executor: who it is, and its present connection. */
export class Executor {
  readonly world: World;
  readonly exeId: string;
  readonly token: string;
  readonly kind: Kind;
  /** The bridges of this cycle. */
  readonly books = new Set<BridgeBook>();
  connection: Connection | undefined;
  registrationId: string | undefined;
  /** What its harnesses have sent and has not come to it, in bytes. */
  pendingBytes = 0;
  /** How many connections it has opened, and those of them that the gateway has logged. */
  #opened: Connection[] = [];
  #connects = 0;
  #disconnects = 0;
  /** Since when the gateway, by its log, has no connection of it. */
  #downSince = 0;
  /** Where its registration said to dial. */
  #url: string | undefined;
  #dialled: string | undefined;
  /** What has happened to it that ends bridges. */
  readonly #happened: { key: string; at: number }[] = [];
  /** When it last took its own place, oldest first. */
  #replaced: number[] = [];

  constructor(world: World, exeId: string, token: string, kind: Kind) {
    this.world = world;
    this.exeId = exeId;
    this.token = token;
    this.kind = kind;
  }

  get isExclusive(): boolean {
    return this.kind === "text" || this.kind === "binary";
  }

  /** Whether the gateway surely had no connection of it from a moment until now. */
  wasDownSince(moment: number): boolean {
    return this.#downSince < moment && this.#connects === this.#opened.length;
  }

  /** The gateway has logged that it connected. */
  logConnected(): void {
    const connection = this.#opened[this.#connects++];
    if (connection !== undefined) connection.knownAt = performance.now();
    this.#downSince = Infinity;
  }

  /** The gateway has logged that it disconnected. */
  logDisconnected(): void {
    if (++this.#disconnects === this.#connects) this.#downSince = performance.now();
  }

  /** Whether it may take its own place now; if so, it counts. */
  mayReplace(): boolean {
    const now = performance.now();
    this.#replaced = this.#replaced.filter((at) => now - at < REPLACED_WITHIN_MS);
    if (this.#replaced.length >= REPLACED_AT_MOST) return false;
    this.#replaced.push(now);
    return true;
  }

  /** Something happened that ends its bridges so. */
  happened(ending: Closed): void {
    this.#happened.push({ key: endingKey(ending), at: performance.now() });
    if (this.#happened.length > 50) this.#happened.shift();
  }

  /** Whether what happened to it explains that a bridge ended so. */
  explains(key: string, { openedAt }: BridgeBook): boolean {
    const recent = this.#happened.filter(({ at }) => at >= openedAt - EARLIER_MS);
    // A bridge that was ended while it was still opening reads this, whatever it was ended for.
    return recent.some((one) => one.key === key) ||
      (recent.length > 0 && key === "1001 executor disconnected");
  }

  /** Begins a new cycle: it is not connected. */
  reset(): void {
    this.books.clear();
    this.pendingBytes = 0;
    this.#opened = [];
    this.#connects = this.#disconnects = this.#downSince = 0;
  }

  /** A frame of a bridge's is on its way to it. */
  underWay(book: BridgeBook, size: number): void {
    if (book.end === undefined) this.pendingBytes += size;
  }

  /** A frame of a bridge's has come. */
  arrived(book: BridgeBook, size: number): void {
    if (book.end === undefined) this.pendingBytes -= size;
  }

  /** A bridge has ended: what was on its way to it may not come any more. */
  settle(book: BridgeBook): void {
    this.pendingBytes -= book.sent.bytes - book.received.bytes;
  }

  /**
   * Dials in: an exclusive one with its registration token, or each with the URL that a registration
   * has returned.
   *
   * @param register whether to register anew, even if it has a URL
   * @returns the connection, or the status that it was refused with
   */
  async dial(random: Random, register = random.chance(0.1)): Promise<Connection | number> {
    const { world } = this;
    if (this.isExclusive && random.chance(0.3)) {
      return await this.#open(
        `${world.gateway.wsUrl}/codex-exec/${this.exeId}?token=${this.token}`,
      );
    }
    if (register || this.#url === undefined) await this.#register();
    return await this.#open(this.#url!);
  }

  /** Dials the very URL that it has dialled last, from somewhere else. */
  async dialAgain(): Promise<Connection | number> {
    return await this.#open(this.#dialled!, this.world.newAddress());
  }

  async #register(): Promise<void> {
    const body = this.kind === "noise"
      ? NOISE_REGISTRATION
      : this.isExclusive
      ? { idempotency_id: "soak" }
      : undefined;
    const route = `/cloud/${this.isExclusive ? "executor" : "environment"}/:exe_id/register`;
    const answer = await this.world.api.expect(this.world, 200, {
      method: "POST",
      route,
      path: route.replace(":exe_id", this.exeId),
      bearer: this.token,
      body,
    });
    const registered = answer.body as { url: string; executor_registration_id?: string };
    this.#url = registered.url;
    this.registrationId = registered.executor_registration_id;
    this.world.count("registrations");
  }

  async #open(url: string, from?: string): Promise<Connection | number> {
    const connection = new Connection(this);
    this.#dialled = url;
    const socket = await Socket.open(url, {
      onOpen: (socket) => {
        connection.open(socket);
        this.#opened.push(connection);
      },
      onMessage: (data) => connection.receive(data),
      onClose: (closed) => connection.close(closed),
    }, from);
    if (!(socket instanceof Socket)) {
      this.world.ledger.noteRefusal("/codex-exec/:exe_id", socket.status);
      return socket.status;
    }
    this.world.ledger.connections.push(connection);
    this.world.count("executors dialled in");
    return this.connection = connection;
  }
}
