import { Duplex } from "node:stream";
import { ReadBuffers } from "./read_buffers.ts";

/** From how many bytes on memory is given back at once. */
const RELEASE_FROM = 16 * 1024;

/** Writes all of `bytes`, which are the TLS layer's and nobody's after. */
export async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await conn.write(bytes.subarray(written));
  }
  release(bytes);
}

/**
 * Gives the memory of many bytes back at once: the collector sees a small object, and what comes late
 * costs more than all the encrypting.
 */
function release(bytes: Uint8Array): void {
  const { buffer, byteLength } = bytes;
  const isAllOfIt = byteLength === buffer.byteLength;
  if (byteLength >= RELEASE_FROM && isAllOfIt) (buffer as ArrayBuffer).transfer(0);
}

/** Ends one direction, where the peer is still there to be told. */
export async function endWriting(conn: Deno.Conn): Promise<void> {
  try {
    await conn.closeWrite();
  } catch {
    // It has gone.
  }
}

/** Closes a connection, once or twice. */
export function closeQuietly(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // It was closed.
  }
}

/**
 * A TCP connection as a stream of `node:stream`, which is what `node:tls` takes besides sockets of
 * `node:net`. Those are not used: in Deno 2.9.6 their listener ends silently when no file descriptor is
 * left, and while they are paused they read on into memory without end.
 */
export class TcpStream extends Duplex {
  readonly #conn: Deno.TcpConn;
  readonly #buffers = new ReadBuffers();
  /** What the last read brought is in it. */
  #given: Uint8Array | undefined;
  #held: Promise<void> = Promise.resolve();

  constructor(conn: Deno.TcpConn) {
    // The next read is asked for when what the last one brought was taken: the TLS layer copies it.
    super({ allowHalfOpen: true, readableHighWaterMark: 1 });
    this.#conn = conn;
  }

  /** Gives out nothing more until `passedOn` is settled. */
  hold(passedOn: Promise<void>): void {
    this.#held = passedOn;
  }

  override async _read(): Promise<void> {
    try {
      if (this.#given !== undefined) this.#buffers.giveBack(this.#given);
      const buffer = this.#given = this.#buffers.take();
      const bytes = await this.#conn.read(buffer);
      await this.#held;
      if (this.destroyed) return;
      this.#buffers.note(buffer, bytes ?? 0);
      this.push(bytes === null ? null : buffer.subarray(0, bytes));
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    this.#write([chunk], done);
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: (error?: Error) => void): void {
    this.#write(chunks.map(({ chunk }) => chunk), done);
  }

  override async _final(done: () => void): Promise<void> {
    await endWriting(this.#conn);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    closeQuietly(this.#conn);
    done(error);
  }

  async #write(chunks: readonly Uint8Array[], done: (error?: Error) => void): Promise<void> {
    try {
      for (const chunk of chunks) await writeAll(this.#conn, chunk);
    } catch (error) {
      return done(error as Error);
    }
    done();
  }
}
