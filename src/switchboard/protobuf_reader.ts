/** How a field's value goes over the wire. */
export const WireType = {
  varint: 0,
  bit64: 1,
  lengthDelimited: 2,
  startGroup: 3,
  endGroup: 4,
  bit32: 5,
} as const;

/** The longest varint, in bytes. */
const MAX_VARINT_BYTES = 10;

/** How deep groups may be nested. */
const MAX_DEPTH = 100;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Steps over the fields of a protobuf message. It never throws: the library's reader does at whatever is
 * wrong, which takes thirty times as long, and what is wrong comes from whoever wants to cost us time.
 *
 * Source: protobuf.dev/programming-guides/encoding.
 */
export class ProtobufReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #ok = true;
  /** The number of the field that was read last, and how its value goes over the wire. */
  field = 0;
  type = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Whether nothing was wrong so far. What was read from what is wrong means nothing. */
  get ok(): boolean {
    return this.#ok;
  }

  /** Reads the next field's tag; `false` at the end of the message, or when something is wrong. */
  next(): boolean {
    return this.#ok && this.#at < this.#bytes.length && this.#tag();
  }

  /** The value of a varint, its lowest 32 bits. */
  uint32(): number {
    const bytes = this.#bytes;
    let value = 0;
    for (let i = 0; i < MAX_VARINT_BYTES; i++) {
      if (this.#at >= bytes.length) break;
      const byte = bytes[this.#at++]!;
      if (i < 5) value |= (byte & 0x7f) << 7 * i;
      if (byte < 0x80) return value >>> 0;
    }
    this.#ok = false;
    return 0;
  }

  /** The value of a string; `undefined` when it is none. */
  string(): string | undefined {
    const length = this.uint32();
    const start = this.#at;
    if (!this.#skip(length)) return undefined;
    const bytes = this.#bytes.subarray(start, this.#at);
    const text = decoder.decode(bytes);
    // What is no UTF-8 was replaced, and has another length or stands for itself.
    if (text.includes("\ufffd") && !isUtf8(text, bytes)) this.#ok = false;
    return this.#ok ? text : undefined;
  }

  /** Steps over the value of the field that was read last. */
  skip(): void {
    this.#skipValue(this.field, this.type, MAX_DEPTH);
  }

  #skipValue(field: number, type: number, depth: number): void {
    if (type === WireType.varint) this.uint32();
    else if (type === WireType.bit64) this.#skip(8);
    else if (type === WireType.bit32) this.#skip(4);
    else if (type === WireType.lengthDelimited) this.#skip(this.uint32());
    else if (type === WireType.startGroup && depth > 0) this.#skipGroup(field, depth);
    else this.#ok = false;
  }

  #skipGroup(group: number, depth: number): void {
    while (this.#ok && this.#tag()) {
      const { field, type } = this;
      if (type === WireType.endGroup) {
        this.#ok = field === group;
        return;
      }
      this.#skipValue(field, type, depth - 1);
    }
  }

  #tag(): boolean {
    const start = this.#at;
    const tag = this.uint32();
    const length = this.#at - start;
    this.field = tag >>> 3;
    this.type = tag & 7;
    const fits = length < 5 || length === 5 && this.#bytes[this.#at - 1]! <= 0x0f;
    return this.#ok = this.#ok && fits && this.field > 0 && this.type <= WireType.bit32;
  }

  #skip(length: number): boolean {
    this.#at += length;
    return this.#ok = this.#ok && this.#at <= this.#bytes.length;
  }
}

function isUtf8(text: string, bytes: Uint8Array): boolean {
  const again = new TextEncoder().encode(text);
  return again.length === bytes.length && again.every((byte, i) => byte === bytes[i]);
}
