#!/bin/sh
# Deno 2.9.6: a server's websocket that was closed is cut at the next frame of its peer.
#
# `close(code, reason)` begins a closing handshake (RFC 6455 section 7): the peer, which may be in the middle of
# sending, reads the close frame, answers it, and knows why. One would expect that what it had sent until then is
# read and dropped, as `ws` on Node does. A client sends messages of 16 KiB; at the first one the server sends "last
# words" and closes with 4000. What the client is told, 20 times each:
#
#   1 message      ws 8.23.0: 4000   deno 2.9.6: 4000
#   400 messages   ws 8.23.0: 4000   deno 2.9.6: 1006 nearly always, and the last words are lost as well
#
# At the first frame after its own close() the server cuts the TCP connection, and the kernel answers what still
# comes with a reset. So a peer that sends much never learns why it was closed, or what was sent to it before.
#
# Needs: npm, node. Exits 0 while that is so, 1 when it is not any more.
set -eu
dir=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --prefix "$dir" deno@2.9.6 ws@8.23.0 >/dev/null
cat > server.mjs <<'JS'
if (globalThis.Deno) {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = () => {
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.send("last words");
      socket.close(4000, "why");
    };
    return response;
  });
  console.log(server.addr.port);
} else {
  const { WebSocketServer } = await import("ws");
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  server.on("listening", () => console.log(server.address().port));
  server.on("connection", (socket) =>
    socket.once("message", () => {
      socket.send("last words");
      socket.close(4000, "why");
    }));
}
JS
cat > client.cjs <<'JS'
const WebSocket = require("ws");
function end(messages) {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${process.argv[2]}`);
    let heard = "nothing";
    socket.on("error", () => {});
    socket.on("open", () => {
      for (let n = 0; n < messages; n++) socket.send(Buffer.alloc(16384));
    });
    socket.on("message", () => heard = "last words");
    socket.on("close", (code) => resolve(`${code} ${heard}`));
  });
}
(async () => {
  const told = { 1: 0, 400: 0 };
  for (let n = 0; n < 20; n++) {
    for (const messages of [1, 400]) told[messages] += await end(messages) === "4000 last words" ? 1 : 0;
  }
  console.log(`${told[1]} ${told[400]}`);
  process.exit();
})();
JS

# try COMMAND...: what the clients of this server are told
try() {
  "$@" server.mjs > port &
  server=$!
  until [ -s port ]; do sleep 0.1; done
  said=$(node client.cjs "$(cat port)")
  kill $server
  wait $server 2>/dev/null || true
  rm port
  echo "${1##*/}: of 20 clients that sent 1 message and of 20 that sent 400 were told why: $said"
}
export DENO_DIR="$dir/cache"
try node; [ "$said" = "20 20" ] || exit 1
try "$dir/node_modules/deno/deno" run -A
[ "${said% *}" = 20 ] && [ "${said#* }" -lt 10 ] || { echo "not any more"; exit 1; }
