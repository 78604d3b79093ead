/**
 * HTTP over a bare TCP connection, for what no client would send.
 *
 * @module
 */

/** An answer, as far as it came. */
export interface Answer {
  status: number;
  /** By name, in lower case. */
  headers: Readonly<Record<string, string>>;
  body: string;
}

/**
 * Sends bytes and reads the first answer.
 *
 * @param ends whether the sending side is closed after them, so that a server that waits for more
 * knows that there is none
 * @returns `undefined` when the connection closed without a whole answer
 * @throws {DOMException} `TimeoutError` when there was none for too long
 */
export async function exchange(
  port: number,
  bytes: Uint8Array,
  { ends = false, headOnly = false, timeoutMs = 15_000 } = {},
): Promise<Answer | undefined> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const late = setTimeout(() => connection.close(), timeoutMs);
  const startedAt = performance.now();
  try {
    await writeAll(connection, bytes);
    if (ends) await connection.closeWrite();
    return await readAnswer(connection, headOnly);
  } catch (error) {
    if (performance.now() - startedAt < timeoutMs) return undefined;
    throw new DOMException(`no answer within ${timeoutMs} ms: ${error}`, "TimeoutError");
  } finally {
    clearTimeout(late);
  }
}

/** Writes all of the bytes. */
export async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await connection.write(bytes.subarray(written));
  }
}

async function readAnswer(connection: Deno.TcpConn, headOnly: boolean) {
  const buffer = new Uint8Array(16_384);
  let text = "";
  while (true) {
    const answer = parse(text, headOnly);
    if (answer !== undefined) return answer;
    const length = await connection.read(buffer);
    if (length === null) return undefined;
    text += latin1(buffer.subarray(0, length));
  }
}

function parse(text: string, headOnly: boolean): Answer | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [statusLine, ...lines] = text.slice(0, end).split("\r\n");
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine!)?.[1]);
  const headers = Object.fromEntries(lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));
  // A go-ahead is not the answer.
  if (status === 100) return parse(text.slice(end + 4), headOnly);
  let body = text.slice(end + 4);
  if (headOnly || status === 101 || status === 204 || status === 304) body = "";
  else if (headers["transfer-encoding"] === "chunked") {
    if (!body.endsWith("0\r\n\r\n")) return undefined;
    body = body.replaceAll(/[0-9a-f]+\r\n|\r\n/gi, "");
  } else if (body.length < Number(headers["content-length"] ?? 0)) return undefined;
  return { status, headers, body: new TextDecoder().decode(fromLatin1(body)) };
}

/** Bytes as text, one character each. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** The bytes of a text, the low eight bits of each character. */
export function fromLatin1(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
