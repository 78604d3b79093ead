#!/bin/sh
# Deno 2.9.6: `new WebSocket` does not set TCP_NODELAY: messages of 1 to 64 KiB wait 44 ms each.
#
# Websocket clients set it, since a message is to go when it is sent, as `ws` on Node does. Deno's does not, and has no
# option for it. Where a message takes two writes, Nagle's algorithm keeps the second one back until the
# first is acknowledged, and the peer delays its acknowledgement (40 ms on Linux). An echo over loopback, one message in
# flight, by a server (`ws`) that does set TCP_NODELAY, medians seen:
#
#                       100 B     1 KiB     2 KiB    16 KiB    60 KiB    64 KiB
#   ws 8.23.0 on Node   0.2 ms    0.1 ms    0.1 ms   0.2 ms    0.4 ms    0.6 ms
#   deno 2.9.6          0.3 ms    0.1 ms    44 ms    44 ms     44 ms     0.5 ms
#
# So a benchmark by Deno's client measures Nagle, and not what it was made for: one by small messages notices nothing.
#
# Needs: npm, node, Linux. Exits 0 while the client takes 20 ms more, 1 when it does not any more.
set -eu
dir=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --prefix "$dir" deno@2.9.6 ws@8.23.0 >/dev/null
cat > server.cjs <<'JS'
const { WebSocketServer } = require("ws");
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
server.on("listening", () => console.log(server.address().port));
server.on("connection", (socket, { socket: tcp }) => {
  tcp.setNoDelay(true);
  socket.on("message", (data) => socket.send(data));
});
JS
cat > client.mjs <<'JS'
import process from "node:process";
const Client = globalThis.Deno ? WebSocket : (await import("ws")).WebSocket;
const medians = [];
for (const size of [100, 1024, 2048, 16384, 61440, 65536]) {
  const socket = new Client(`ws://127.0.0.1:${process.argv[2]}`);
  await new Promise((resolve) => socket.onopen = resolve);
  const times = [];
  for (let n = 0; n < 21; n++) {
    const started = performance.now();
    const answer = new Promise((resolve) => socket.onmessage = resolve);
    socket.send(new Uint8Array(size));
    await answer;
    times.push(performance.now() - started);
  }
  socket.close();
  medians.push(times.sort((one, other) => one - other)[10]);
}
const [, , ...between] = medians;
between.pop();
const wait = between.map((ms) => ms > 20);
console.error(medians.map((ms) => `${ms.toFixed(1)} ms`).join("  "));
console.log(wait.every(Boolean) ? "waits" : wait.some(Boolean) ? "waits at times" : "at once");
process.exit();
JS
node server.cjs > port &
server=$!
until [ -s port ]; do sleep 0.1; done
export DENO_DIR="$dir/cache"
[ "$(node client.mjs "$(cat port)")" = "at once" ] || exit 1
[ "$(./node_modules/deno/deno run -A client.mjs "$(cat port)")" = waits ] || { echo "not any more"; exit 1; }
