/**
 * Websocket frames as bytes (RFC 6455 section 5.2), right and wrong ones, and a connection to send
 * them on.
 *
 * @module
 */
import { joined } from "./mutate.ts";
import type { Random } from "./random.ts";
import { latin1, writeAll } from "./raw_http.ts";

/** How a frame is marked. */
export interface FrameMarks {
  opcode: number;
  final?: boolean;
  reserved?: number;
  masked?: boolean;
  /** What its length is said to be, where that is not so. */
  claimed?: number;
}

/** A frame; its mask is of zeros, which leaves the payload as it is. */
export function wireFrame(
  payload: Uint8Array,
  { opcode, final = true, reserved = 0, masked = true, claimed = payload.length }: FrameMarks,
): Uint8Array<ArrayBuffer> {
  const mask = masked ? 0x80 : 0;
  const first = (final ? 0x80 : 0) | reserved << 4 | opcode;
  const extended = claimed < 126 ? 0 : claimed < 0x10000 ? 2 : 8;
  const head = new Uint8Array(2 + extended + (masked ? 4 : 0));
  const view = new DataView(head.buffer);
  head[0] = first;
  head[1] = mask | (extended === 0 ? claimed : extended === 2 ? 126 : 127);
  if (extended === 2) view.setUint16(2, claimed);
  if (extended === 8) view.setBigUint64(2, BigInt(claimed));
  return joined(head, payload);
}

/** A message in one frame, or in pieces. */
export function wireMessage(
  random: Random,
  opcode: 1 | 2,
  payload: Uint8Array,
): Uint8Array<ArrayBuffer> {
  if (random.chance(0.85)) return wireFrame(payload, { opcode });
  const at = random.below(payload.length + 1);
  const ping = random.chance(0.3) ? wireFrame(random.bytes(4), { opcode: 9 }) : new Uint8Array();
  return joined(
    wireFrame(payload.subarray(0, at), { opcode, final: false }),
    ping,
    wireFrame(payload.subarray(at), { opcode: 0 }),
  );
}

/** What no endpoint should send, or a close. */
export function wireNonsense(random: Random, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const opcode = random.pick([1, 2]);
  switch (random.below(9)) {
    case 0:
      return random.bytes(random.length(60) + 1);
    case 1:
      return wireFrame(payload, { opcode, masked: false });
    case 2:
      return wireFrame(payload, { opcode, reserved: 1 + random.below(7) });
    case 3:
      return wireFrame(payload, { opcode: random.pick([3, 5, 7, 11, 15]) });
    case 4:
      return wireFrame(payload, {
        opcode,
        claimed: random.pick([2 ** 16, 2 ** 31, 2 ** 40, 2 ** 53]),
      });
    case 5:
      return wireFrame(random.bytes(200), { opcode: random.pick([8, 9, 10]), final: false });
    case 6:
      return wireFrame(payload, { opcode: 0 });
    case 7:
      return wireFrame(random.bytes(20), { opcode: 1 });
    default: {
      const code = random.pick([0, 999, 1000, 1001, 1004, 1005, 1006, 1012, 1015, 3000, 65535]);
      const reason = random.bytes(random.length(130));
      return wireFrame(joined(new Uint8Array([code >> 8, code & 0xff]), reason), { opcode: 8 });
    }
  }
}

/** A websocket that sends any bytes, and reads without looking. */
export class WireSocket implements Disposable {
  readonly #connection: Deno.TcpConn;
  #open = true;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
    this.#drain();
  }

  /** @returns the status instead when the handshake was refused */
  static async open(port: number, path: string, token: string): Promise<WireSocket | number> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay();
    await writeAll(
      connection,
      new TextEncoder().encode(
        `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\n` +
          "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
          `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer ${token}\r\n\r\n`,
      ),
    );
    const buffer = new Uint8Array(4_096);
    let head = "";
    while (!head.includes("\r\n\r\n")) {
      const length = await connection.read(buffer);
      if (length === null) break;
      head += latin1(buffer.subarray(0, length));
    }
    if (head.startsWith("HTTP/1.1 101 ")) return new WireSocket(connection);
    connection.close();
    return Number(head.slice(9, 12));
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Sends what can still be sent. */
  async send(bytes: Uint8Array): Promise<void> {
    try {
      await writeAll(this.#connection, bytes);
    } catch {
      this[Symbol.dispose]();
    }
  }

  /** Goes without a word. */
  [Symbol.dispose](): void {
    if (this.#open) this.#connection.close();
    this.#open = false;
  }

  async #drain(): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      while (await this.#connection.read(buffer) !== null);
    } catch {
      // Closed here, or reset there.
    }
    this[Symbol.dispose]();
  }
}
