import { type Fields, method, ownField } from "./insides.ts";

/** The symbols that reading is stopped by. */
interface Symbols {
  readonly readyState: symbol;
  readonly eventLoop: symbol;
}

/** Looked for once: `undefined` before, `false` where the runtime lacks one. */
let symbols: Symbols | false | undefined;

function symbolsOf(socket: WebSocket): Symbols | false {
  if (symbols !== undefined) return symbols;
  const readyState = ownField(socket, "[[readyState]]");
  const eventLoop = method("[[eventLoop]]");
  return symbols = readyState && eventLoop ? { readyState, eventLoop } : false;
}

/** From now on nobody is held: the runtime's loop does not stop as it did. */
export function doWithoutHolding(): void {
  symbols = false;
}

/**
 * The loop in which the runtime reads a server's websocket, which can be stopped and started again: what the
 * peer sends meanwhile fills the kernel's buffers, and TCP holds the peer back.
 *
 * The class offers no pause. But its loop runs while its ready state is not CLOSED, and looks at that right
 * after each message was handled: set so at that moment the loop returns, and tells nobody. Then the state has
 * to be what it was before anybody else sends on the websocket, or what is sent is dropped without a word:
 * {@linkcode ReadLoop.settle} sees to that, since a microtask of ours may come after those of other websockets
 * whose messages came in the same turn. Whoever stops it must see to it that the runtime does not judge the peer by
 * its pings, which it cannot answer meanwhile (`heartbeat.ts`).
 */
export class ReadLoop {
  readonly #socket: WebSocket;
  readonly #symbols: Symbols | false;
  #isStopped = false;
  /** What the state was when it stopped. */
  #state: number = WebSocket.OPEN;
  /** Whether the state still says CLOSED: the runtime's loop has seen it as soon as anything else runs. */
  #isUnsettled = false;
  /** Whether a message is being handled: the runtime's loop goes on or stops by what the state is then. */
  #isHandling = false;

  /** @param socket just upgraded */
  constructor(socket: WebSocket) {
    this.#socket = socket;
    this.#symbols = symbolsOf(socket);
  }

  /** Whether the runtime lets reading be stopped. */
  get canStop(): boolean {
    return this.#symbols !== false;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** The first thing that a message handler does. */
  handling(): void {
    this.#isHandling = true;
  }

  /**
   * The last thing that a message handler does.
   *
   * @param stops whether nothing more is to be read
   */
  handled(stops: boolean): void {
    this.#isHandling = false;
    // Stopped before the message was handled, it was set right when something was sent.
    if (stops || this.#isStopped) this.stop();
  }

  /** Stops reading. To be called where the runtime says that something came (`heartbeat.ts`), and nowhere else. */
  stop(): void {
    if (this.#symbols === false || this.#isUnsettled) return;
    const state = this.#socket.readyState;
    if (state !== WebSocket.OPEN && state !== WebSocket.CLOSING) return;
    this.#isStopped = true;
    this.#state = state;
    const { readyState } = this.#symbols;
    const fields = this.#socket as unknown as Fields;
    fields[readyState] = WebSocket.CLOSED;
    this.#isUnsettled = true;
    queueMicrotask(() => this.settle());
  }

  /** To be called before the websocket is used for anything: its state is what it was before it stopped. */
  settle(): void {
    if (!this.#isUnsettled || this.#symbols === false) return;
    this.#isUnsettled = false;
    (this.#socket as unknown as Fields)[this.#symbols.readyState] = this.#state;
  }

  /** Reads on, if it was stopped. */
  start(): void {
    if (this.#symbols === false || !this.#isStopped) return;
    this.settle();
    this.#isStopped = false;
    // It has ended meanwhile; or has not stopped yet, and two loops would read.
    if (this.#socket.readyState === WebSocket.CLOSED || this.#isHandling) return;
    (this.#socket as unknown as Record<symbol, () => void>)[this.#symbols.eventLoop]!();
  }
}
