/** How a connection ended: after how many seconds, and the status it was told, if any. */
export interface Ended {
  readonly seconds: number;
  readonly status: number | undefined;
}

/**
 * Opens a TCP connection, sends `first`, and then `more` once a second, until the other side closes it.
 *
 * @param untilAnswered stops at the first answer: a server may leave the connection open
 * @returns `undefined` when it is still open after `patienceMs`
 */
export async function dribble(
  port: number,
  first: string,
  more: string,
  patienceMs: number,
  { untilAnswered = false } = {},
): Promise<Ended | undefined> {
  const started = performance.now();
  const encode = (text: string) => new TextEncoder().encode(text);
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  let isOver = false;
  const patience = setTimeout(() => connection.close(), patienceMs);
  const dribbling = more === ""
    ? undefined
    : setInterval(() => connection.write(encode(more)).catch(() => {}), 1_000);
  let answer = "";
  try {
    if (first !== "") await connection.write(encode(first));
    const buffer = new Uint8Array(4_096);
    for (
      let length = await connection.read(buffer);
      length !== null;
      length = await connection.read(buffer)
    ) {
      answer += new TextDecoder().decode(buffer.subarray(0, length));
      if (untilAnswered) break;
    }
  } catch {
    // Closed by one side or the other.
    isOver = performance.now() - started >= patienceMs;
  } finally {
    clearTimeout(patience);
    clearInterval(dribbling);
  }
  if (isOver) return undefined;
  const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1];
  return {
    seconds: (performance.now() - started) / 1_000,
    status: status === undefined ? undefined : Number(status),
  };
}
