import { closeSocket } from "./closing.ts";
import { type Ending, NO_ANSWER } from "./endings.ts";
import type { LeftBehind, Remainder } from "./left_behind.ts";
import { sizeOf } from "./traffic.ts";

/** From how many bytes on the memory of a message is given back at once. */
const RELEASE_FROM = 16 * 1024;

/** What the runtime says where a websocket ended without a close frame from the peer. */
const NO_CODE = 1005;

/**
 * An executor's or a harness's websocket, as its link holds it: it tells its end once, whether the runtime
 * reports it or the peer is given up, and it knows whether what is sent to the peer moves.
 */
export class PeerSocket {
  /** Takes each message. Large ones are emptied when it returns: it copies what it wants to keep. */
  onmessage: (data: string | ArrayBuffer) => void = () => {};
  /** Called once, when the peer has gone; `wasClean` when it said good-bye. */
  onclose: (wasClean: boolean) => void = () => {};

  readonly #socket: WebSocket;
  readonly #owner: string;
  readonly #leftBehind: LeftBehind;
  #closing = false;
  #gone = false;
  #remainder: Remainder | undefined;
  /** Bytes handed to the runtime, and what of them waited when it was last asked. */
  #sent = 0;
  #waiting = 0;
  /** Bytes that had gone at the last look. */
  #passed = 0;
  #heard = false;
  #stillLooks = 0;

  /**
   * @param socket just upgraded
   * @param owner whose it is, so that what it leaves behind can be held against it
   */
  constructor(socket: WebSocket, owner: string, leftBehind: LeftBehind) {
    this.#socket = socket;
    this.#owner = owner;
    this.#leftBehind = leftBehind;
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      this.#heard = true;
      // What the peer had sent before it read the close frame goes to nobody.
      if (!this.#closing) this.onmessage(data);
      release(data);
    };
    socket.onclose = ({ wasClean, code }) => {
      this.#settle(wasClean && code !== NO_CODE);
      this.#end(wasClean);
    };
  }

  /** Bytes that wait to be sent. */
  get bufferedAmount(): number {
    return this.#waiting = this.#socket.bufferedAmount;
  }

  /** Calls back when it is open. */
  whenOpen(callback: () => void): void {
    this.#socket.addEventListener("open", callback, { once: true });
  }

  /** Sends a message, unless the websocket is closing or closed. */
  send(data: string | ArrayBuffer | Uint8Array<ArrayBuffer>): void {
    this.#sent += sizeOf(data);
    this.#socket.send(data);
  }

  /** Closes it with a reason: as soon as it is open, if it is still opening. */
  close(ending: Ending): void {
    if (this.#closing || this.#gone) return;
    this.#closing = true;
    // The runtime says 0 from its close() on.
    if (this.bufferedAmount > 0) this.#leave();
    closeSocket(this.#socket, ending);
  }

  /**
   * Takes the peer for gone without waiting for the runtime to say so. If it comes back it reads that it
   * was closed.
   */
  giveUp(): void {
    if (this.#gone) return;
    this.close(NO_ANSWER);
    this.#end(false);
  }

  /**
   * Looks whether what is sent to the peer moves, or anything comes from it; to be called at a steady pace.
   * The runtime's pings wait behind what is sent, so that they cannot tell.
   *
   * @returns how many looks in a row found neither; infinity for one that the runtime itself has given up
   */
  look(): number {
    if (this.#closing) return 0;
    // It closes a peer that did not answer its ping, and with data before the close frame never ends.
    if (this.#socket.readyState === WebSocket.CLOSING) {
      this.#leave();
      return Infinity;
    }
    const passed = this.#sent - this.bufferedAmount;
    const still = this.#waiting > 0 && passed <= this.#passed && !this.#heard;
    this.#passed = passed;
    this.#heard = false;
    return this.#stillLooks = still ? this.#stillLooks + 1 : 0;
  }

  #leave(): void {
    this.#remainder ??= this.#leftBehind.add(this.#owner, this.#waiting);
  }

  /** Once, though the runtime may report an end twice. */
  #settle(taken: boolean): void {
    if (this.#remainder !== undefined) this.#leftBehind.settle(this.#remainder, taken);
    this.#remainder = undefined;
  }

  #end(wasClean: boolean): void {
    if (this.#gone) return;
    this.#gone = true;
    this.onclose(wasClean);
  }
}

/**
 * Gives the memory of a large message back. The collector would do so too, but late: it sees an object of
 * a few bytes, and when messages come faster than the runtime yields, hundreds of megabytes pile up.
 */
function release(data: string | ArrayBuffer): void {
  if (typeof data !== "string" && data.byteLength >= RELEASE_FROM) data.transfer(0);
}
