#!/bin/sh
# Deno 2.9.6: the pings of a server's websocket wait behind its data, and a peer that reads slowly is taken for dead.
#
# With `idleTimeout: n` the server pings a peer that was quiet for half of it, and gives the pong the other half. It
# is to find out who has gone. One would expect that a peer which reads all the time, at whatever pace its link has,
# is not taken for one. A server queues 12 MiB as the websocket opens, with `idleTimeout: 2`; the client reads 64 KiB
# every 60 ms (some 8 Mbit/s), without a pause, and answers pings at once. Seen with deno 2.9.6:
#
#   nothing to read   pinged once a second, and lives
#   12 MiB to read    the first ping comes when all of it was read, after 8 s, and right behind it the close frame:
#                     1001 "No response from ping frame."
#
# The server had given the peer up before: what the kernels hold on the way takes longer to read than the pong has.
# So an idle timeout has to be longer than what waits takes on the slowest link. There is no ping that a program could
# send by itself, and nothing tells it that the peer takes what it was sent.
#
# Needs: npm, node. Takes some 10 s. Exits 0 while that is so, 1 when it is not any more.
set -eu
dir=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --prefix "$dir" deno@2.9.6 ws@8.23.0 >/dev/null
cat > server.mjs <<'JS'
const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
  const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 2 });
  const messages = new URL(request.url).pathname === "/data" ? 12 : 0;
  socket.onopen = () => {
    for (let n = 0; n < messages; n++) socket.send(new Uint8Array(1024 * 1024));
  };
  return response;
});
console.log(server.addr.port);
JS
cat > client.cjs <<'JS'
const WebSocket = require("ws");
function watch(path) {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${process.argv[2]}${path}`, { perMessageDeflate: false });
    let messages = 0, read = 0, pings = 0, before = 0;
    socket.on("upgrade", ({ socket: tcp }) => {
      tcp.on("data", ({ length }) => {
        if (path === "/quiet" || (read += length) < 65536) return;
        read = 0;
        tcp.pause();
        setTimeout(() => tcp.resume(), 60);
      });
    });
    socket.on("message", () => messages++);
    socket.on("ping", () => {
      // By the fourth one that was given up would be gone.
      if (++pings === 4) resolve("lives");
      if (messages < 12) before++;
    });
    socket.on("close", (code, reason) => resolve(`${code} ${reason} pings before the end of the data: ${before}`));
  });
}
(async () => {
  const [quiet, data] = await Promise.all([watch("/quiet"), watch("/data")]);
  console.log(`nothing to read: ${quiet}\n12 MiB to read: ${data}`);
  process.exit(
    quiet === "lives" && data === "1001 No response from ping frame. pings before the end of the data: 0" ? 0 : 1,
  );
})();
JS
DENO_DIR="$dir/cache" ./node_modules/deno/deno run -A server.mjs > port &
server=$!
until [ -s port ]; do sleep 0.1; done
node client.cjs "$(cat port)" || { echo "not any more"; exit 1; }
