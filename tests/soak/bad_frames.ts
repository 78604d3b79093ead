import type { Random } from "../fuzz/random.ts";
import { frame } from "../support/relay.ts";

/** A frame that must be dropped, and the reason that it is counted under. */
export interface BadFrame {
  readonly reason: string;
  readonly message: string | Uint8Array;
}

/** What neither a harness nor an executor may send, once a harness holds a stream. */
const BAD: readonly BadFrame[] = [
  { reason: "text_frame", message: "a text frame" },
  { reason: "bad_version", message: new Uint8Array() },
  { reason: "malformed", message: new Uint8Array([0xff]) },
  { reason: "malformed", message: new Uint8Array(64).fill(0x80) },
  { reason: "malformed", message: frame("soak-0", "data").subarray(0, 6) },
  { reason: "bad_version", message: frame("soak-0", "data", new Uint8Array(10), 2) },
  { reason: "bad_version", message: frame("soak-0", "resume", new Uint8Array(), 0) },
  { reason: "bad_stream_id", message: frame("", "resume") },
  { reason: "bad_stream_id", message: frame(" soak-0", "data") },
  { reason: "bad_stream_id", message: frame("x".repeat(129), "resume") },
];

const UNCLAIMED: BadFrame = {
  reason: "unclaimed_stream",
  message: frame("soak-unclaimed", "data", new Uint8Array(100)),
};

const INVALID = "first frame is no valid Resume or Handshake";
const CLAIMS_NOTHING = "first frame is neither a Resume nor a Handshake, and claims no stream";

/** One that an executor may send. */
export function badFromExecutor(random: Random): BadFrame {
  return random.pick(BAD);
}

/** One that a harness may send. */
export function badFromHarness(random: Random): BadFrame {
  return random.pick([...BAD, UNCLAIMED]);
}

/** What a harness is closed for when it begins with it, and the close reason that it reads. */
export function badFirstFrame(random: Random): BadFrame & { readonly closedFor: string } {
  const bad = badFromHarness(random);
  if (typeof bad.message === "string") return { ...UNCLAIMED, closedFor: CLAIMS_NOTHING };
  return { ...bad, closedFor: bad === UNCLAIMED ? CLAIMS_NOTHING : INVALID };
}

/** Bytes that are no websocket frame: reserved opcodes, reserved bits, a control frame in parts. */
export function noFrame(random: Random): Uint8Array {
  const start = random.pick([[0x83, 0x80], [0xf2, 0x85], [0x09, 0x80], [0x89, 0xff]]);
  return new Uint8Array([...start, ...random.bytes(40)]);
}
