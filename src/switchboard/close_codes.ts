/**
 * Why the gateway closes a websocket: the close code (RFC 6455 section 7.4) and the reason the peer
 * reads. All of them are here, so that this table is the documentation.
 *
 * @module
 */

/** Why the gateway closes a websocket. */
export interface Ending {
  /** A word for it, in logs and metrics. */
  readonly label: string;
  /** The close code. */
  readonly code: number;
  /** What the peer reads. */
  readonly reason: string;
  /** Whether the peer may dial again, as it is: the same would not end it at once. */
  readonly again: boolean;
}

/** To everybody whose websocket could not be set up: a fault of the gateway's own. */
export const INTERNAL_ERROR: Ending = {
  label: "internal_error",
  code: 1011,
  reason: "internal error",
  again: true,
};

/** To a harness: its executor's socket closed. */
export const EXECUTOR_GONE: Ending = {
  label: "executor_gone",
  code: 1001,
  reason: "executor disconnected",
  again: true,
};

/** To a harness: the executor dialled in anew while the bridge was up. */
export const EXECUTOR_REPLACED: Ending = {
  label: "executor_replaced",
  code: 1001,
  reason: "executor dialled in anew",
  again: true,
};

/** To an executor: a newer connection of the same executor took its place. */
export const REPLACED: Ending = {
  label: "replaced",
  code: 1008,
  reason: "replaced by a newer connection",
  again: false,
};

/** To an executor: its turn came when many had replaced each other, and the connection that was there stays. */
export const CONTESTED: Ending = {
  label: "contested",
  code: 1008,
  reason: "another machine uses the same registration token",
  again: false,
};

/** To an executor and its harnesses: the executor was removed through the API. */
export const REMOVED: Ending = {
  label: "removed",
  code: 1008,
  reason: "executor removed",
  again: false,
};

/** To an executor and its harnesses: the executor was given another registration token. */
export const TOKEN_REPLACED: Ending = {
  label: "token_replaced",
  code: 1008,
  reason: "the registration token was replaced",
  again: false,
};

/** To a text executor: its bridge closed, and it serves one session a connection. */
export const BRIDGE_ENDED: Ending = {
  label: "bridge_ended",
  code: 1000,
  reason: "bridge ended",
  again: true,
};

/** To a text executor: its bridge's harness vanished without a close frame. */
export const HARNESS_LOST: Ending = {
  label: "harness_lost",
  code: 1001,
  reason: "harness disconnected",
  again: true,
};

/** To everybody: the gateway is stopping; dial again. */
export const GATEWAY_STOPPING: Ending = {
  label: "gateway_stopping",
  code: 1012,
  reason: "gateway is restarting",
  again: true,
};

/** To a harness: it claimed a stream that another live bridge holds. */
export const STREAM_IN_USE: Ending = {
  label: "stream_in_use",
  code: 1008,
  reason: "stream id in use",
  again: false,
};

/** To a harness: the executor's bridges hold as many streams as it may have. */
export const TOO_MANY_STREAMS: Ending = {
  label: "too_many_streams",
  code: 1013,
  reason: "too many streams on this executor",
  again: true,
};

/** To a harness: its turn holds half of the streams that the executor may have. */
export const TURN_STREAMS: Ending = {
  label: "turn_streams",
  code: 1008,
  reason: "this turn holds half of the executor's streams",
  again: false,
};

/** To a harness: its turn's handshakes have failed too often on this connection of the executor. */
export const TOO_MANY_HANDSHAKES: Ending = {
  label: "too_many_handshakes",
  code: 1008,
  reason: "too many failed handshakes of this turn",
  again: false,
};

/** To a harness: its workspace's handshakes have, and another workspace uses the executor too. */
export const WORKSPACE_HANDSHAKES: Ending = {
  label: "workspace_handshakes",
  code: 1008,
  reason: "too many failed handshakes of this workspace",
  again: false,
};

/** To a harness: its handshake has waited for others', of which too many have failed. */
export const HANDSHAKES_CROWDED: Ending = {
  label: "handshakes_crowded",
  code: 1013,
  reason: "too many failed handshakes on this executor",
  again: true,
};

/** To a harness: its turn was revoked. */
export const TURN_REVOKED: Ending = {
  label: "turn_revoked",
  code: 1008,
  reason: "the turn was revoked",
  again: false,
};

/** To a harness: its workspace was revoked, and its token with it. */
export const WORKSPACE_REVOKED: Ending = {
  label: "workspace_revoked",
  code: 1008,
  reason: "the workspace was revoked",
  again: false,
};

/** To a harness: a frame was larger than a Noise endpoint takes. */
export const NOISE_FRAME_TOO_LARGE: Ending = {
  label: "noise_frame_too_large",
  code: 1009,
  reason: "frame over 256 KiB",
  again: false,
};

/** To whoever sent it: a frame was larger than the gateway passes on. */
export const FRAME_TOO_LARGE: Ending = {
  label: "frame_too_large",
  code: 1009,
  reason: "frame too large",
  again: false,
};

/** To a harness: its executor sent a frame that was too large. */
export const EXECUTOR_FRAME_TOO_LARGE: Ending = {
  label: "executor_frame_too_large",
  code: 1009,
  reason: "the executor sent a frame that is too large",
  again: true,
};

/** To a peer: it took nothing for half a minute of what waits for it, or too much waits. Dial again. */
export const TOO_SLOW: Ending = {
  label: "too_slow",
  code: 1013,
  reason: "reading too slowly",
  again: true,
};

/** To a harness: it read so slowly that the others on its executor had to wait for it. */
export const HOLDS_OTHERS: Ending = {
  label: "holds_others",
  code: 1013,
  reason: "reading so slowly that others on the executor wait",
  again: true,
};

/** To a harness: its executor was closed because it read too slowly. */
export const EXECUTOR_TOO_SLOW: Ending = {
  label: "executor_too_slow",
  code: 1013,
  reason: "the executor reads too slowly",
  again: true,
};

/** To a peer that took and sent nothing while something waited for it: it was taken for dead. */
export const NO_ANSWER: Ending = {
  label: "no_answer",
  code: 1001,
  reason: "no answer",
  again: true,
};

/** To a peer: for a thousand frames it has sent nothing that belonged anywhere. */
export const NOTHING_OF_USE: Ending = {
  label: "nothing_of_use",
  code: 1008,
  reason: "1,000 frames in a row that belong nowhere",
  again: true,
};

/** To a harness: its executor was closed because it sent nothing that belonged anywhere. */
export const EXECUTOR_SENT_NOTHING_OF_USE: Ending = {
  label: "executor_sent_nothing_of_use",
  code: 1001,
  reason: "the executor sent 1,000 frames in a row that belong nowhere",
  again: true,
};

/** To a harness: it has claimed no stream, or over an exclusive executor's bridge no frame has passed. */
export const NEVER_BEGUN: Ending = {
  label: "never_begun",
  code: 1013,
  reason: "nothing begun in 60 seconds",
  again: true,
};

/** To a harness whose first frame could not be read. */
export const FIRST_FRAME_INVALID: Ending = {
  label: "first_frame_invalid",
  code: 1002,
  reason: "first frame is no valid Resume or Handshake",
  again: false,
};

/** To a harness whose first frame claims no stream: nothing that it sends could go anywhere. */
export const FIRST_FRAME_CLAIMS_NOTHING: Ending = {
  label: "first_frame_claims_nothing",
  code: 1002,
  reason: "first frame is neither a Resume nor a Handshake, and claims no stream",
  again: false,
};

/** To a harness that began with a Handshake: the executor, codex 0.131 to 0.140, has no Noise to answer it. */
export const HANDSHAKE_WITHOUT_NOISE: Ending = {
  label: "handshake_without_noise",
  code: 1002,
  reason:
    "first frame is a Handshake, but this executor speaks no Noise; it needs codex 0.131 to 0.140",
  again: false,
};

/** To a harness that sent text: the executor speaks relay frames. */
export const NEEDS_RELAY_HARNESS: Ending = {
  label: "needs_relay_harness",
  code: 1003,
  reason: "this executor needs a harness of codex 0.131 to 0.140, with role=harness in its URL",
  again: false,
};

/** To a harness that sent text: the executor speaks Noise. */
export const NEEDS_NOISE_HARNESS: Ending = {
  label: "needs_noise_harness",
  code: 1003,
  reason: "this executor needs a harness of codex 0.142 or later, pointed at it by registry URL",
  again: false,
};
