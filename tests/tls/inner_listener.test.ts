import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { InnerListener } from "../../src/tls/inner_listener.ts";

const CLIENT: Deno.NetAddr = { transport: "tcp", hostname: "203.0.113.7", port: 4711 };

/** That a port is another connection's. */
const TAKEN = /EADDRINUSE|EADDRNOTAVAIL|address (already )?in use|cannot assign/i;

const REQUEST = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/** Runs a body with an inner listener that answers who it takes for the client. */
async function withInner(body: (inner: InnerListener) => Promise<void>): Promise<void> {
  const inner = new InnerListener((_, { remoteAddr }) =>
    new Response(`${remoteAddr.hostname}:${remoteAddr.port}`)
  );
  try {
    await body(inner);
  } finally {
    await inner.shutdown();
  }
}

Deno.test("a request's client is the one that its connection stands for", async () => {
  await withInner(async (inner) => {
    const { conn, close } = await inner.connect(CLIENT);
    await conn.write(new TextEncoder().encode(REQUEST));
    assert.match(await new Response(conn.readable).text(), /200 OK[^]*203\.0\.113\.7:4711$/);
    close();
    close();
  });
});

Deno.test("nobody else's connection is answered, from whichever port or address", async () => {
  await withInner(async (inner) => {
    const { conn, close } = await inner.connect(CLIENT);
    const stranger = (options: { localAddress?: string; localPort?: number } = {}) =>
      answerTo(connect({ port: inner.port, host: "127.0.0.1", ...options }));
    assert.match(await stranger(), /^HTTP\/1\.1 403 /);
    // Another address of this machine may have a port of the same number.
    const samePort = { localAddress: "127.0.0.2", localPort: conn.localAddr.port };
    assert.match(await stranger(samePort), /^HTTP\/1\.1 403 /);
    // On this one it is taken for as long as the connection is open.
    await assert.rejects(
      stranger({ localAddress: "127.0.0.1", localPort: conn.localAddr.port }),
      TAKEN,
    );
    close();
  });
});

Deno.test("who comes from the port of a connection that has ended is a stranger", async () => {
  await withInner(async (inner) => {
    for (;;) {
      const { conn, close } = await inner.connect(CLIENT);
      await conn.write(new TextEncoder().encode(REQUEST));
      // The server ends it, so that the port is free at once.
      assert.match(await new Response(conn.readable).text(), /203\.0\.113\.7:4711$/);
      const localPort = conn.localAddr.port;
      close();
      const again = { port: inner.port, host: "127.0.0.1", localAddress: "127.0.0.1", localPort };
      try {
        return assert.match(await answerTo(connect(again)), /^HTTP\/1\.1 403 /);
      } catch (error) {
        // Another program of this machine was faster.
        if (!TAKEN.test(`${error}`)) throw error;
      }
    }
  });
});

/** What a request on a connection is answered. */
function answerTo(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    socket.on("data", (data) => answer += data);
    socket.on("end", () => resolve(answer));
    socket.on("error", reject);
    socket.on("connect", () => socket.write(REQUEST));
  });
}
