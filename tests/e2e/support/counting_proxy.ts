/** A TCP proxy that counts what passes, to show what really went over the wire. */
export interface CountingProxy extends AsyncDisposable {
  /** Of every address of this machine. */
  readonly port: number;
  /** Bytes that went to the target so far. */
  sent(): number;
}

/**
 * Starts a proxy on a free port.
 *
 * @param targetPort the port, on this machine, that it stands before
 */
export function startCountingProxy(targetPort: number): CountingProxy {
  const listener = Deno.listen({ hostname: "0.0.0.0", port: 0 });
  const connections = new Set<Deno.Conn>();
  let sent = 0;
  const pass = async (from: Deno.Conn, to: Deno.Conn, count: (bytes: number) => void) => {
    try {
      const counter = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          count(chunk.length);
          controller.enqueue(chunk);
        },
      });
      await from.readable.pipeThrough(counter).pipeTo(to.writable);
    } catch {
      // One side is gone; the other goes with it.
    }
    connections.delete(from);
  };
  const serving = (async () => {
    for await (const client of listener) {
      const target = await Deno.connect({ hostname: "127.0.0.1", port: targetPort });
      connections.add(client).add(target);
      pass(client, target, (bytes) => sent += bytes);
      pass(target, client, () => {});
    }
  })();
  return {
    port: listener.addr.port,
    sent: () => sent,
    async [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of connections) {
        try {
          connection.close();
        } catch {
          // It was closed by the end of its stream.
        }
      }
      await serving.catch(() => {});
    },
  };
}
