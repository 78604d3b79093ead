/**
 * What the gateway takes from the insides of the runtime's `WebSocket` (Deno 2.9.6): fields that the class
 * keeps under symbols of its own. Each is looked for by its description, so that a runtime without one is
 * noticed and does without; nothing outside `src/runtime/` knows of any.
 *
 * | Field | Used for | Without it |
 * |---|---|---|
 * | `[[role]]` | a close frame that reaches a peer in the middle of sending (`close_socket.ts`) | that peer sees a cut connection |
 * | `[[eventLoop]]`, `[[readyState]]`, `[[idleTimeout]]`, `[[serverHandleIdleTimeout]]` | to stop reading from a peer for a while (`read_loop.ts`) | what a slow reader is sent waits in memory, up to `CXG_MAX_BUFFERED` |
 *
 * @module
 */

/** The fields of a websocket, by their symbols. */
export type Fields = Record<symbol, unknown>;

/** A field that each websocket has; `undefined` where the runtime has none of that name. */
export function ownField(socket: WebSocket, description: string): symbol | undefined {
  return find(Object.getOwnPropertySymbols(socket), description);
}

/** A method of every websocket; `undefined` where the runtime has none of that name. */
export function method(description: string): symbol | undefined {
  return find(Object.getOwnPropertySymbols(WebSocket.prototype), description);
}

function find(symbols: readonly symbol[], description: string): symbol | undefined {
  return symbols.find((symbol) => symbol.description === description);
}
