import { Duplex } from "node:stream";

/**
 * Sizes of a read, in bytes: the first holds a whole TLS record, so that an idle connection keeps little;
 * after a read that filled its buffer the next is larger.
 */
const READ_BYTES = [16 * 1024 + 256, 64 * 1024, 256 * 1024] as const;

/** From how many bytes on memory is given back at once. */
const RELEASE_FROM = 16 * 1024;

/** The next size after a read of `bytes` into a buffer of `READ_BYTES[level]`. */
export function nextReadLevel(level: number, bytes: number): number {
  return bytes < READ_BYTES[level]! ? 0 : Math.min(level + 1, READ_BYTES.length - 1);
}

/** A buffer for one read. */
export function readBuffer(level: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(READ_BYTES[level]!);
}

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
  #held: Promise<void> = Promise.resolve();
  #level = 0;
  #buffer = readBuffer(0);

  constructor(conn: Deno.TcpConn) {
    // One read at a time: the next is asked for when what the last one brought was taken, that is copied.
    super({ allowHalfOpen: true, readableHighWaterMark: 1 });
    this.#conn = conn;
  }

  /** Reads nothing more until `passedOn` is settled. */
  hold(passedOn: Promise<void>): void {
    this.#held = passedOn;
  }

  override async _read(): Promise<void> {
    try {
      await this.#held;
      if (this.destroyed) return;
      const bytes = await this.#conn.read(this.#buffer);
      const read = this.#buffer.subarray(0, bytes ?? 0);
      const next = nextReadLevel(this.#level, read.length);
      if (next !== this.#level) this.#buffer = readBuffer(this.#level = next);
      this.push(bytes === null ? null : read);
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
