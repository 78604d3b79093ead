/**
 * Relay frames. Those that are built of whole fields come with what they must be read as; of those
 * that were spoilt only what holds for every frame is asked.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { type FrameHeader, readFrame, resetFrame } from "../../src/switchboard/relay_frame.ts";
import { FIELDS, frame, parseFrame } from "../support/relay.ts";
import { joined, mutateBytes, oddText } from "./mutate.ts";
import type { Random } from "./random.ts";
import { hold, type Target } from "./target.ts";

/** A frame, and how it must be read where that is known: `false` when it must be refused. */
export interface FrameInput {
  bytes: Uint8Array<ArrayBuffer>;
  expected?: FrameHeader | false;
}

const BODIES = Object.keys(FIELDS) as (keyof typeof FIELDS)[];
const BODY_NUMBERS: readonly number[] = Object.values(FIELDS);

/** See the module. */
export class Frames implements Target<FrameInput> {
  readonly name = "frames";
  readonly share = 580;
  readonly parallel = 1;

  generate(random: Random): FrameInput {
    const kind = random.below(10);
    if (kind < 4) return built(random);
    if (kind === 4) return { bytes: random.bytes(random.length(120)) };
    if (kind === 5) return { bytes: joined(built(random).bytes, built(random).bytes) };
    return { bytes: mutatedFrame(random) };
  }

  check({ bytes, expected }: FrameInput): void {
    let read: ReturnType<typeof readFrame>;
    try {
      read = readFrame(bytes);
    } catch (error) {
      hold(false, `readFrame never throws, unlike ${error}`);
    }
    if (expected !== undefined) {
      const said = JSON.stringify(read);
      if (expected === false) return hold(typeof read === "string", `it is refused, not ${said}`);
      hold(said === JSON.stringify(expected), `it is ${JSON.stringify(expected)}, not ${said}`);
    }
    if (typeof read === "string") {
      return hold(/^(malformed|bad_version|bad_stream_id)$/.test(read), `"${read}" is a fault`);
    }
    const { streamId, body } = read;
    const id = Buffer.from(streamId);
    hold(BODY_NUMBERS.includes(body), `a body has a known number, unlike ${body}`);
    hold(isStreamId(streamId), "a stream id has 1 to 128 bytes, well-formed, no blanks around it");
    hold(Buffer.from(bytes).includes(id), "the stream id stands in the frame as it is");
    checkReset(streamId, bytes.length);
  }

  show({ bytes, expected }: FrameInput): string {
    return `${bytes.toHex()} (expected: ${JSON.stringify(expected) ?? "unknown"})`;
  }
}

/** A good frame that was spoilt, once or a few times. */
export function mutatedFrame(
  random: Random,
  streamId = aStreamId(random),
): Uint8Array<ArrayBuffer> {
  let bytes = frame(streamId, random.pick(BODIES), random.bytes(random.length(100)));
  for (let left = random.length(4) + 1; left > 0; left--) bytes = mutateBytes(random, bytes);
  return bytes;
}

/** A frame of whole fields: in any order, some twice, with some that are unknown. */
function built(random: Random): FrameInput {
  const version = random.chance(0.9) ? 1 : random.below(4);
  const streamId = aStreamId(random);
  const body = FIELDS[random.pick(BODIES)];
  // Of a field that comes twice, the last counts.
  let fields: [number, Uint8Array][] = [
    [1, joined(tag(random, 1, 0), varint(random, version))],
    [2, lengthDelimited(random, 2, new TextEncoder().encode(streamId))],
    [body, lengthDelimited(random, body, random.bytes(random.length(60)))],
  ];
  for (let extra = random.length(6); extra > 0; extra--) fields.push(unknownField(random));
  if (random.chance(0.5)) fields = random.shuffle(fields);
  if (random.chance(0.3)) {
    const first = lengthDelimited(random, 2, new TextEncoder().encode("another"));
    fields.unshift([2, first], [7, lengthDelimited(random, 7, first)]);
  }
  let expected: FrameInput["expected"] = version === 1 && isStreamId(streamId)
    ? { streamId: streamId, body }
    : false;
  if (random.chance(0.1)) {
    fields = fields.filter(([field]) => field !== random.pick([1, 2, body]));
    expected = undefined;
  }
  const bytes = joined(...fields.map(([, bytes]) => bytes));
  return { bytes, expected };
}

function unknownField(random: Random): [number, Uint8Array] {
  const field = random.pick([3, 4, 11, 15, 16, 1000, 2 ** 29 - 1]);
  const contents = random.bytes(random.length(40));
  switch (random.below(5)) {
    case 0:
      return [field, joined(tag(random, field, 0), varint(random, random.uint32()))];
    case 1:
      return [field, joined(tag(random, field, 1), random.bytes(8))];
    case 2:
      return [field, joined(tag(random, field, 5), random.bytes(4))];
    case 3: {
      const inner = lengthDelimited(random, 1 + random.below(12), contents);
      return [field, joined(tag(random, field, 3), inner, tag(random, field, 4))];
    }
    default:
      return [field, lengthDelimited(random, field, contents)];
  }
}

function lengthDelimited(random: Random, field: number, contents: Uint8Array): Uint8Array {
  return joined(tag(random, field, 2), varint(random, contents.length), contents);
}

function tag(random: Random, field: number, type: number): Uint8Array {
  return varint(random, field * 8 + type, 5);
}

/** A varint, now and then longer than it need be. */
function varint(random: Random, value: number, maxLength = 10): Uint8Array {
  const bytes: number[] = [];
  while (value > 0x7f) {
    bytes.push(value % 0x80 + 0x80);
    value = Math.floor(value / 0x80);
  }
  bytes.push(value);
  if (random.chance(0.03)) {
    for (let more = random.below(maxLength + 1 - bytes.length); more > 0; more--) {
      bytes.push(bytes.pop()! + 0x80, 0);
    }
  }
  return new Uint8Array(bytes);
}

function aStreamId(random: Random): string {
  if (random.chance(0.6)) return `stream-${random.uint32().toString(16)}`;
  if (random.chance(0.3)) return "x".repeat(120 + random.below(12));
  // Half a surrogate pair cannot be written in UTF-8.
  return oddText(random).toWellFormed();
}

function isStreamId(text: string): boolean {
  const length = Buffer.byteLength(text);
  return length >= 1 && length <= 128 && text.isWellFormed() && !/^\s|\s$/.test(text);
}

function checkReset(streamId: string, salt: number): void {
  const reason = "r".repeat(1 + salt % 256);
  const bytes = resetFrame(streamId, reason);
  hold(
    JSON.stringify(readFrame(bytes)) === JSON.stringify({ streamId, body: FIELDS.reset }),
    "a Reset that was made is read again",
  );
  const { payload } = parseFrame(bytes);
  const said = new TextDecoder().decode(payload.subarray(reason.length > 127 ? 3 : 2));
  hold(said === reason, "a Reset says its reason");
}
