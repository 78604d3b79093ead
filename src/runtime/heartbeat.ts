import { type Fields, method, ownField } from "./insides.ts";

/**
 * The runtime makes a ping when a timer of half the idle limit fires; this short, it fires at once. In
 * seconds.
 */
const AT_ONCE_S = 0.002;

/** And it waits for the answer for the other half: this long, so that it never judges by itself. In seconds. */
const NEVER_S = 2_000_000;

/** The symbols that pings are made by. */
interface Symbols {
  readonly idleTimeout: symbol;
  readonly restartIdleTimer: symbol;
}

/** Looked for once: `undefined` before, `false` where the runtime lacks one. */
let symbols: Symbols | false | undefined;

function symbolsOf(socket: WebSocket): Symbols | false {
  if (symbols !== undefined) return symbols;
  const idleTimeout = ownField(socket, "[[idleTimeout]]");
  const restartIdleTimer = method("[[serverHandleIdleTimeout]]");
  return symbols = idleTimeout && restartIdleTimer ? { idleTimeout, restartIdleTimer } : false;
}

/** From now on the runtime pings by itself: what it was to be told does not do what it did. */
export function doWithoutPings(): void {
  symbols = false;
}

/**
 * Pings on a server's websocket when they are asked for, and word of every sign of life.
 *
 * The class pings by itself, with a timer for each websocket that is set anew with every message, and
 * closes a peer whose answer waits too long, behind a megabyte on a slow link say. It does so in one method,
 * which it calls whenever anything came: replaced on the instance, that is where signs of life are heard of.
 */
export class Heartbeat {
  readonly #socket: WebSocket;
  readonly #symbols: Symbols | false;

  /**
   * @param socket just upgraded, its `idleTimeout` as it would be without this
   * @param onSign called whenever anything came from the peer, an answer to a ping too; cheap
   */
  constructor(socket: WebSocket, onSign: () => void) {
    this.#socket = socket;
    this.#symbols = symbolsOf(socket);
    if (this.#symbols === false) return;
    const fields = socket as unknown as Fields;
    fields[this.#symbols.restartIdleTimer] = onSign;
    fields[this.#symbols.idleTimeout] = NEVER_S;
  }

  /** Whether pings are made by {@linkcode Heartbeat.ping}, and not by the runtime itself. */
  get isOurs(): boolean {
    return this.#symbols !== false;
  }

  /** Sends a ping, in a millisecond or so, behind what waits to be sent. */
  ping(): void {
    this.#restart();
  }

  /** Ends the timer that the last ping has left behind, which keeps the websocket in memory. */
  stop(): void {
    this.#restart();
  }

  #restart(): void {
    if (this.#symbols === false) return;
    const { idleTimeout, restartIdleTimer } = this.#symbols;
    const fields = this.#socket as unknown as Fields;
    fields[idleTimeout] = AT_ONCE_S;
    const prototype = WebSocket.prototype as unknown as Record<symbol, () => void>;
    prototype[restartIdleTimer]!.call(this.#socket);
    fields[idleTimeout] = NEVER_S;
  }
}
