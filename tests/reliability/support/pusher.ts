/**
 * A websocket peer in a process of its own that sends as fast as TCP takes it, and reads meanwhile.
 * What it is to do comes as JSON in its argument; it begins at the first line of standard input, and
 * says what happened in lines of JSON on standard output.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { frame, parseFrame, resetReason } from "../../support/relay.ts";

/** What to do. */
export interface Push {
  readonly port: number;
  readonly path: string;
  readonly token: string;
  /** The relay stream to send on; none for frames that are only bytes. */
  readonly stream?: string;
  /** More of them, which are sent on in turn. */
  readonly furtherStreams?: readonly string[];
  /** Whether it has to claim that stream, as a harness does. */
  readonly claims?: boolean;
  /** How many bytes each frame carries. */
  readonly frameBytes: number;
  /** What kind of message each frame is: text, binary (the default), a ping or its answer. */
  readonly opcode?: "text" | "binary" | "ping" | "pong";
  /** Whether what each frame carries is only bytes, also on a relay stream: no relay frame. */
  readonly raw?: boolean;
  readonly totalBytes: number;
  /** How fast; as fast as TCP takes it when absent. */
  readonly bytesPerSecond?: number;
}

/**
 * How late a paced sender may be and still make up for it, in milliseconds. No link does: what it has not
 * carried when it was due comes later, and never in a burst of megabytes.
 */
const MADE_UP_MS = 2;

const OPCODES = { text: 0x1, binary: 0x2, ping: 0x9, pong: 0xa } as const;

/** How many bytes at least are written at once: of small frames, thousands. */
const WRITE_BYTES = 64 * 1024;

/** What happened. */
export type PushEvent =
  | { event: "open" }
  /** All was sent, or the connection broke before. */
  | { event: "sent"; bytes: number; seconds: number }
  /** The first Reset. */
  | { event: "reset"; reason: string }
  | { event: "close"; code: number; reason: string }
  /** The connection is over. */
  | { event: "gone" };

async function main(push: Push): Promise<void> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: push.port });
  connection.setNoDelay();
  const write = (bytes: Uint8Array) => writeAll(connection, bytes);
  await write(Buffer.from(
    `GET ${push.path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n` +
      `Authorization: Bearer ${push.token}\r\n\r\n`,
  ));
  const input = new Input(connection);
  await input.readAnswer();
  if (push.claims) await write(encode(0x2, frame(push.stream!, "resume")));
  say({ event: "open" });
  await Deno.stdin.read(new Uint8Array(1));
  const reading = readFrames(input, write);
  const payload = new Uint8Array(push.frameBytes);
  const messages = [push.stream, ...push.furtherStreams ?? []].map((stream) =>
    encode(
      OPCODES[push.opcode ?? "binary"],
      stream === undefined || push.raw ? payload : frame(stream, "data", payload),
    )
  );
  // Paced frames go out one by one.
  const rounds = push.bytesPerSecond === undefined
    ? Math.ceil(WRITE_BYTES / messages[0]!.length / messages.length)
    : 1;
  const count = rounds * messages.length;
  const batch = Buffer.concat(Array.from({ length: rounds }, () => messages).flat());
  const started = performance.now();
  let bytes = 0;
  let due = started;
  try {
    // Frames that carry nothing never come to an end.
    while (push.frameBytes === 0 || bytes < push.totalBytes) {
      await write(batch);
      bytes += count * push.frameBytes;
      if (push.bytesPerSecond === undefined) continue;
      due = Math.max(due, performance.now() - MADE_UP_MS) +
        push.frameBytes / push.bytesPerSecond * 1000;
      const earlyMs = due - performance.now();
      if (earlyMs > 1) await new Promise((resolve) => setTimeout(resolve, earlyMs));
    }
  } catch {
    // Closed by the gateway; what it said is still read.
  }
  say({ event: "sent", bytes, seconds: (performance.now() - started) / 1000 });
  await reading;
  say({ event: "gone" });
}

async function readFrames(input: Input, write: (bytes: Uint8Array) => Promise<void>) {
  let wasReset = false;
  try {
    for (;;) {
      const { opcode, payload } = await input.readFrame();
      if (opcode === 0x8) {
        const reason = payload.subarray(2).toString();
        say({ event: "close", code: payload.readUInt16BE(), reason });
        await write(encode(0x8, payload.subarray(0, 2)));
      } else if (opcode === 0x9) {
        await write(encode(0xa, payload));
      } else if (opcode !== 0xa && !wasReset) {
        const received = parseFrame(new Uint8Array(payload));
        if (received.body !== "reset") continue;
        wasReset = true;
        say({ event: "reset", reason: resetReason(received) });
      }
    }
  } catch {
    // The connection is over.
  }
}

function say(event: PushEvent): void {
  // deno-lint-ignore no-console
  console.log(JSON.stringify(event));
}

/** A whole frame, with a mask of zeros, which leaves the payload as it is. */
function encode(opcode: number, payload: Uint8Array): Uint8Array {
  const { length } = payload;
  const header = Buffer.alloc(length < 126 ? 6 : 14);
  header[0] = 0x80 | opcode;
  header[1] = 0x80 | (length < 126 ? length : 127);
  if (length >= 126) header.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([header, payload]);
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}

/** What has come from the gateway and was not looked at yet. */
class Input {
  readonly #connection: Deno.Conn;
  readonly #chunk = Buffer.alloc(64 * 1024);
  #unread: Buffer = Buffer.alloc(0);

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  async readAnswer(): Promise<void> {
    let answer = "";
    while (!answer.endsWith("\r\n\r\n")) answer += (await this.#read(1)).toString();
    if (!answer.startsWith("HTTP/1.1 101 ")) throw new Error(answer);
  }

  async readFrame(): Promise<{ opcode: number; payload: Buffer }> {
    const [first, second] = await this.#read(2) as unknown as [number, number];
    const length = second === 126
      ? (await this.#read(2)).readUInt16BE()
      : second === 127
      ? Number((await this.#read(8)).readBigUInt64BE())
      : second;
    return { opcode: first & 0x0f, payload: await this.#read(length) };
  }

  async #read(length: number): Promise<Buffer> {
    while (this.#unread.length < length) {
      const read = await this.#connection.read(this.#chunk);
      if (read === null) throw new Error("the connection closed");
      this.#unread = Buffer.concat([this.#unread, this.#chunk.subarray(0, read)]);
    }
    const bytes = this.#unread.subarray(0, length);
    this.#unread = this.#unread.subarray(length);
    return bytes;
  }
}

if (import.meta.main) await main(JSON.parse(Deno.args[0]!));
