import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Body, readFrame, resetFrame } from "../../src/switchboard/relay_frame.ts";
import { FIELDS, frame, parseFrame, resetReason } from "../support/relay.ts";

const ID = "0b8a9a52-6b1c-4f0e-9a53-0f6f6b0e7a11";

Deno.test("the header of each kind of frame is read", () => {
  for (const [name, field] of Object.entries(FIELDS)) {
    const bytes = frame(ID, name as keyof typeof FIELDS, new Uint8Array(randomBytes(300)));
    assert.deepEqual(readFrame(bytes), { streamId: ID, body: field });
  }
  assert.deepEqual(Body, FIELDS);
});

Deno.test("fields come in any order, and unknown ones are stepped over", () => {
  const [version, rest] = [frame(ID, "data").subarray(0, 2), frame(ID, "data").subarray(2)];
  const unknown = [
    [15 << 3, 0xff, 0x01],
    [13 << 3 | 1, 1, 2, 3, 4, 5, 6, 7, 8],
    [14 << 3 | 5, 1, 2, 3, 4],
    [12 << 3 | 2, 3, 1, 2, 3],
    [3 << 3, 7],
    [4 << 3, 9],
  ].flat();
  assert.deepEqual(readFrame(new Uint8Array([...rest, ...unknown, ...version])), {
    streamId: ID,
    body: Body.data,
  });
});

Deno.test("a stream id has 1 to 128 bytes and no blanks around it", () => {
  for (const id of ["x", "x".repeat(127), "x".repeat(128), "é".repeat(64), "a b"]) {
    assert.deepEqual(readFrame(frame(id, "data")), { streamId: id, body: Body.data });
  }
  for (const id of ["", "x".repeat(129), "é".repeat(65), " x", "x\n", "\u00a0x"]) {
    assert.equal(readFrame(frame(id, "data")), "bad_stream_id", JSON.stringify(id));
  }
});

Deno.test("another version is refused, and so is none", () => {
  for (const version of [0, 2, 127]) {
    assert.equal(readFrame(frame(ID, "data", new Uint8Array(), version)), "bad_version");
  }
  assert.equal(readFrame(frame(ID, "data").subarray(2)), "bad_version");
});

Deno.test("what is no frame is malformed, wherever it is cut", () => {
  const whole = frame(ID, "data", new Uint8Array(200));
  for (let length = 0; length < whole.length; length++) {
    assert.equal(typeof readFrame(whole.subarray(0, length)), "string", `cut at ${length}`);
  }
  const noBody = whole.subarray(0, 2 + 2 + ID.length);
  assert.equal(readFrame(noBody), "malformed");
  const badUtf8 = frame("xx", "data").map((byte) => byte === 0x78 ? 0xff : byte);
  assert.equal(readFrame(badUtf8), "malformed");
  for (const bytes of [[0x80], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [0x0b], [0x00]]) {
    assert.equal(readFrame(new Uint8Array(bytes)), "malformed", `${bytes}`);
  }
});

Deno.test("a frame is read the same whether it is written as codex writes it or not", () => {
  const unknownField = [15 << 3, 1];
  for (let i = 0; i < 20_000; i++) {
    const bytes = spoilt(i);
    const header = readFrame(bytes);
    assert.deepEqual(readFrame(new Uint8Array([...unknownField, ...bytes])), header, `${bytes}`);
  }
});

Deno.test("acks of any size and spelling are stepped over", () => {
  const spellings = [
    [0],
    [0x7f],
    [0xff, 0x01],
    [0xff, 0xff, 0xff, 0xff, 0x0f],
    // Longer than a uint32 needs: protobuf allows ten bytes.
    [0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  ];
  const head = 2 + 2 + ID.length;
  for (const [name, field] of Object.entries(FIELDS)) {
    const whole = frame(ID, name as keyof typeof FIELDS, new Uint8Array(300));
    for (const ack of spellings) {
      for (const bits of spellings) {
        const acks = [3 << 3, ...ack, 4 << 3, ...bits];
        const bytes = [...whole.subarray(0, head), ...acks, ...whole.subarray(head)];
        assert.deepEqual(readFrame(new Uint8Array(bytes)), { streamId: ID, body: field });
      }
    }
  }
});

/** A frame as codex writes it, with acks or without; of every four, three with a byte changed. */
function spoilt(i: number): Uint8Array {
  const streamId = i % 3 === 0 ? ID : ID.slice(i % ID.length);
  const bodies = Object.keys(FIELDS) as (keyof typeof FIELDS)[];
  const whole = frame(streamId, bodies[i % bodies.length]!, new Uint8Array(i % 200));
  const acks = [3 << 3, 0xff, 0xff, 0xff, 0xff, 0x0f, 4 << 3, 7].slice(0, [0, 6, 8][i % 3]);
  const head = 2 + 2 + streamId.length;
  const bytes = new Uint8Array([...whole.subarray(0, head), ...acks, ...whole.subarray(head)]);
  const [where, what] = randomBytes(2);
  if (i % 4 > 0) bytes[where! % Math.min(bytes.length, head + 12)] = what!;
  return i % 40 === 1 ? bytes.subarray(0, where! % bytes.length) : bytes;
}

Deno.test("random bytes never throw", () => {
  for (let i = 0; i < 20_000; i++) readFrame(new Uint8Array(randomBytes(i % 80)));
});

Deno.test("a Reset is made as codex reads it", () => {
  const reset = parseFrame(resetFrame(ID, "bridge closed"));
  assert.deepEqual([reset.streamId, resetReason(reset)], [ID, "bridge closed"]);
  assert.deepEqual(readFrame(resetFrame(ID, "x")), { streamId: ID, body: Body.reset });
});
