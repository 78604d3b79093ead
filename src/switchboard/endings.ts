/**
 * Why the gateway closes a websocket: the close code (RFC 6455 section 7.4) and the reason the peer
 * reads. All of them are here, so that this table is the documentation.
 *
 * @module
 */

/** A close code and its reason. */
export interface Ending {
  readonly code: number;
  readonly reason: string;
}

/** To a harness: its executor's socket closed. */
export const EXECUTOR_GONE: Ending = { code: 1001, reason: "executor disconnected" };

/** To a harness: the executor dialled in anew while the bridge was up. */
export const EXECUTOR_REPLACED: Ending = { code: 1001, reason: "executor dialled in anew" };

/** To an executor: a newer connection of the same executor took its place. */
export const REPLACED: Ending = { code: 1008, reason: "replaced by a newer connection" };

/** To an executor: its turn came when many had replaced each other, and the connection that was there stays. */
export const CONTESTED: Ending = {
  code: 1008,
  reason: "another machine uses the same registration token",
};

/** To an executor and its harnesses: the executor was removed through the API. */
export const REMOVED: Ending = { code: 1008, reason: "executor removed" };

/** To a text executor: its bridge closed, and it serves one session a connection. */
export const BRIDGE_ENDED: Ending = { code: 1000, reason: "bridge ended" };

/** To a text executor: its bridge's harness vanished without a close frame. */
export const HARNESS_LOST: Ending = { code: 1001, reason: "harness disconnected" };

/** To everybody: the gateway is stopping; dial again. */
export const GATEWAY_STOPPING: Ending = { code: 1012, reason: "gateway is restarting" };

/** To a harness: it claimed a stream that another live bridge holds. */
export const STREAM_IN_USE: Ending = { code: 1008, reason: "stream id in use" };

/** To a harness: the executor's bridges hold as many streams as it may have. */
export const TOO_MANY_STREAMS: Ending = { code: 1013, reason: "too many streams on this executor" };

/** To a harness: its turn's handshakes have failed too often on this connection of the executor. */
export const TOO_MANY_HANDSHAKES: Ending = {
  code: 1008,
  reason: "too many failed handshakes of this turn",
};

/** To a harness: its turn was revoked. */
export const TURN_REVOKED: Ending = { code: 1008, reason: "the turn was revoked" };

/** To a harness: a frame was larger than a Noise endpoint takes. */
export const NOISE_FRAME_TOO_LARGE: Ending = { code: 1009, reason: "frame over 256 KiB" };

/** To whoever sent it: a frame was larger than the gateway passes on. */
export const FRAME_TOO_LARGE: Ending = { code: 1009, reason: "frame too large" };

/** To a harness: its executor sent a frame that was too large. */
export const EXECUTOR_FRAME_TOO_LARGE: Ending = {
  code: 1009,
  reason: "the executor sent a frame that is too large",
};

/** To a peer: it took nothing for half a minute of what waits for it, or too much waits. Dial again. */
export const TOO_SLOW: Ending = { code: 1013, reason: "reading too slowly" };

/** To a harness: it read so slowly that the others on its executor had to wait for it. */
export const HOLDS_OTHERS: Ending = {
  code: 1013,
  reason: "reading so slowly that others on the executor wait",
};

/** To a harness: its executor was closed because it read too slowly. */
export const EXECUTOR_TOO_SLOW: Ending = { code: 1013, reason: "the executor reads too slowly" };

/** To a peer that took and sent nothing while something waited for it: it was taken for dead. */
export const NO_ANSWER: Ending = { code: 1001, reason: "no answer" };

/** To a harness whose first frame could not be read. */
export const FIRST_FRAME_INVALID: Ending = {
  code: 1002,
  reason: "first frame is no valid Resume or Handshake",
};

/** To a harness whose first frame claims no stream: nothing that it sends could go anywhere. */
export const FIRST_FRAME_CLAIMS_NOTHING: Ending = {
  code: 1002,
  reason: "first frame is neither a Resume nor a Handshake, and claims no stream",
};

/** To a harness that began with a Handshake: the executor, codex 0.131 to 0.140, has no Noise to answer it. */
export const HANDSHAKE_WITHOUT_NOISE: Ending = {
  code: 1002,
  reason:
    "first frame is a Handshake, but this executor speaks no Noise; it needs codex 0.131 to 0.140",
};

/** To a harness that sent text: the executor speaks relay frames. */
export const NEEDS_RELAY_HARNESS: Ending = {
  code: 1003,
  reason: "this executor needs a harness of codex 0.131 to 0.140, with role=harness in its URL",
};

/** To a harness that sent text: the executor speaks Noise. */
export const NEEDS_NOISE_HARNESS: Ending = {
  code: 1003,
  reason: "this executor needs a harness of codex 0.142 or later, pointed at it by registry URL",
};
