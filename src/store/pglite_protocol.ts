/**
 * What the embedded database's proxy and its worker say to each other. Each request has an answer
 * with the same id.
 *
 * @module
 */

/** A request of the proxy. */
export type Request =
  | { id: number; kind: "open"; directory: string }
  | { id: number; kind: "query"; text: string; values?: readonly unknown[] }
  | { id: number; kind: "close" };

/**
 * The worker's answer: the rows (none for `open` and `close`), or what went wrong. Or, unasked, that the
 * engine has died of something and must not be asked any more.
 */
export type Answer =
  | { id: number; rows: unknown[] }
  | { id: number; failure: Failure }
  | { died: string };

/** An error, as far as it crosses threads; `code` is the SQLSTATE when the engine gave one. */
export interface Failure {
  message: string;
  code?: string;
}
