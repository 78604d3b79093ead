import { Buffer } from "node:buffer";
import { connect } from "node:net";
import { Duplex } from "node:stream";
import { trustedFor } from "./trust.ts";

/** A websocket peer that speaks raw frames (RFC 6455 section 5.2), for what clients do not do. */
export class RawSocket implements Disposable {
  readonly #socket: Duplex;
  #received: Buffer[] = [];
  #length = 0;
  #wake = Promise.withResolvers<void>();

  private constructor(socket: Duplex) {
    this.#socket = socket;
    socket.on("data", (data: Buffer) => {
      this.#received.push(data);
      this.#length += data.length;
      this.#notify();
    });
    socket.on("close", () => this.#notify());
    socket.on("error", () => {});
  }

  /** Opens a websocket with a bearer token; fails when it is refused. */
  static async open(port: number, path: string, token: string): Promise<RawSocket> {
    const { ca } = trustedFor(`https://127.0.0.1:${port}`);
    const peer = new RawSocket(
      ca === undefined ? connect(port, "127.0.0.1") : await connectByTls(port, ca),
    );
    peer.#socket.write(
      `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n` +
        `Authorization: Bearer ${token}\r\n\r\n`,
    );
    let answer = "";
    while (!answer.endsWith("\r\n\r\n")) answer += String(await peer.#read(1));
    if (!answer.startsWith("HTTP/1.1 101 ")) throw new Error(answer);
    return peer;
  }

  /** Sends a whole binary message. */
  sendMessage(payload: Uint8Array): void {
    this.sendFragment(payload, true, true);
  }

  /** Sends a fragment of a binary message. */
  sendFragment(payload: Uint8Array, first: boolean, last: boolean): void {
    this.#send((last ? 0x80 : 0) | (first ? 0x2 : 0), payload);
  }

  /** Reads until it is told to close, answers that, and returns what it was told. */
  async readClose(): Promise<{ code: number; reason: string }> {
    for (;;) {
      const { opcode, payload } = await this.readFrame();
      if (opcode !== 0x8) continue;
      this.#send(0x88, payload.subarray(0, 2));
      const code = payload[0]! << 8 | payload[1]!;
      return { code, reason: new TextDecoder().decode(payload.subarray(2)) };
    }
  }

  /** Sends a frame with a mask of zeros, which leaves it as it is. */
  #send(first: number, payload: Uint8Array): void {
    const header = Buffer.alloc(14);
    header[0] = first;
    header[1] = 0x80 | 127;
    header.writeBigUInt64BE(BigInt(payload.length), 2);
    this.#socket.write(header);
    this.#socket.write(payload);
  }

  /** Reads one frame, unmasked as a server sends it. */
  async readFrame(): Promise<{ opcode: number; payload: Uint8Array<ArrayBuffer> }> {
    const [first, second] = await this.#read(2) as unknown as [number, number];
    const short = second & 0x7f;
    const length = short === 126
      ? (await this.#read(2)).readUInt16BE()
      : short === 127
      ? Number((await this.#read(8)).readBigUInt64BE())
      : short;
    return { opcode: first & 0x0f, payload: new Uint8Array(await this.#read(length)) };
  }

  /** Whether its connection has ended. */
  get closed(): boolean {
    return this.#socket.closed;
  }

  /** Stops reading, as a peer that hangs does. */
  stopReading(): void {
    this.#socket.pause();
  }

  /** Reads again. */
  resumeReading(): void {
    this.#socket.resume();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  async #read(length: number): Promise<Buffer> {
    while (this.#length < length) {
      if (this.#socket.closed) throw new Error("the connection closed");
      await this.#wake.promise;
    }
    const taken = [];
    let missing = length;
    while (missing > 0) {
      const chunk = this.#received[0]!;
      taken.push(chunk.subarray(0, missing));
      if (chunk.length > missing) this.#received[0] = chunk.subarray(missing);
      else this.#received.shift();
      missing -= Math.min(missing, chunk.length);
    }
    this.#length -= length;
    return Buffer.concat(taken);
  }

  #notify(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}

/** A TLS connection that can be held: a socket of `node:tls` reads on while it is paused (Deno 2.9.6). */
async function connectByTls(port: number, ca: string): Promise<Duplex> {
  const conn = await Deno.connectTls({ hostname: "127.0.0.1", port, caCerts: [ca] });
  const { readable, writable } = conn;
  return Duplex.fromWeb({ readable, writable } as unknown as Parameters<typeof Duplex.fromWeb>[0]);
}
