#!/bin/sh
# Deno 2.9.6, `Deno.serve(…).shutdown()`: what it does to those who are already connected.
#
# Its documentation: "Gracefully close the server. No more new connections will be accepted, while pending
# requests will be allowed to finish." One would expect, as of `server.close()` of node:http in the same
# binary or of Go's `Server.Shutdown`, that the listening socket closes, that a connection which was accepted
# may bring the request that is on its way, and that websockets are the program's to close. Seen with 2.9.6,
# all of it in the same turn of the event loop in which the listening socket closes:
#
#   a connection without a request yet    closed; the request that comes then is lost
#   a request whose head is half there    closed without an answer
#   a request that is in the handler      answered, then closed
#   an open websocket                     closed with 1001 "Server shutting down"; the program has no say
#
# There is no way to close the listening socket alone. So a server that is to be replaced has to tell its
# websocket peers to come again *before* it stops to listen, and to go on answering (503) those who do so at
# once; and a call that is under way in that one moment is lost.
#
# Needs: npm. Exits 0 while that is so, 1 when it is not any more.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --prefix "$dir" deno@2.9.6 >/dev/null
cat > shutdown.ts <<'EOF'
const inHand = Promise.withResolvers<void>();
const finish = Promise.withResolvers<void>();
const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
  if (request.headers.has("upgrade")) return Deno.upgradeWebSocket(request).response;
  inHand.resolve();
  await finish.promise;
  return new Response("done");
});
const { port } = server.addr;

const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
const socketClosed = new Promise<string>((resolve) => {
  socket.onclose = ({ code, reason }) => resolve(`closed with ${code} "${reason}"`);
});
await new Promise((resolve) => socket.onopen = resolve);

async function open(bytes: string): Promise<Deno.Conn> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  await conn.write(new TextEncoder().encode(bytes));
  return conn;
}

async function answer(conn: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(4096);
  try {
    const read = await conn.read(buffer);
    return read === null
      ? "closed without an answer"
      : new TextDecoder().decode(buffer.subarray(0, read)).split("\r\n")[0];
  } catch (error) {
    return (error as Error).name;
  }
}

const silent = await open("");
const half = await open("GET / HTTP/1.1\r\nhost: ");
const whole = await open("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
await inHand.promise;
// The others were accepted before it.
const stopped = server.shutdown();
const seen = {
  "no request yet": await answer(silent),
  "half a head": await answer(half),
  "websocket": await socketClosed,
};
finish.resolve();
const all: Record<string, string> = { ...seen, "in the handler": await answer(whole) };
await stopped;
const expected: Record<string, string> = {
  "no request yet": "closed without an answer",
  "half a head": "closed without an answer",
  "websocket": 'closed with 1001 "Server shutting down"',
  "in the handler": "HTTP/1.1 200 OK",
};
let same = true;
for (const [what, outcome] of Object.entries(all)) {
  console.log(`${what}: ${outcome}`);
  same &&= outcome === expected[what];
}
Deno.exit(same ? 0 : 1);
EOF
"$dir"/node_modules/.bin/deno run --no-prompt --allow-net=127.0.0.1 shutdown.ts
