#!/bin/sh
# Deno 2.9.6, `Deno.serve`: a client that has ended its half of the connection, and whose websocket upgrade is
# answered later, gets neither an answer nor an end.
#
# TCP has two directions: a client that has sent its request may end its own (`shutdown(SHUT_WR)`) and read on. HTTP
# servers differ in what they make of it: some answer, and node:http closes a connection whose answer is not there
# yet. One would expect one or the other. Seen with deno 2.9.6, the answer being there at once, or after 200 ms:
#
#                                                     at once   after 200 ms
#   GET                                               200       the connection is closed
#   upgrade                                           101       nothing: the connection stays open, without an answer
#   upgrade, `request.signal` asked for before that   101       the signal is aborted, and the connection is closed
#
# The upgraded websocket has no event, not even "close". So a handler that looks up anything before it upgrades asks
# for the signal first, and does without the upgrade when it is aborted (deno-upgrade-after-the-client-left.sh: the
# same for a client that has gone).
#
# Needs: npm, node. Exits 0 while that is so, 1 when it is not any more.
set -eu
dir=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --prefix "$dir" deno@2.9.6 >/dev/null
cat > server.mjs <<'JS'
const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
  const { searchParams } = new URL(request.url);
  if (searchParams.has("watched")) void request.signal;
  if (searchParams.has("late")) await new Promise((resolve) => setTimeout(resolve, 200));
  if (searchParams.has("watched") && request.signal.aborted) return new Response(null, { status: 499 });
  if (!request.headers.has("upgrade")) return new Response("done");
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.onerror = () => {};
  if (searchParams.has("late")) {
    for (const type of ["open", "close", "error"]) socket.addEventListener(type, () => console.log(type));
  }
  return response;
});
console.log(server.addr.port);
JS
cat > client.cjs <<'JS'
const net = require("node:net");
const [port] = process.argv.slice(2);
const UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
/** What comes of a request behind which the client has ended its half. */
function ask(path, headers) {
  return new Promise((resolve) => {
    let said = "";
    const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () => {
      socket.end(`GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
    });
    socket.on("data", (data) => {
      said += data;
      if (said.includes("\r\n")) resolve(said.split(" ")[1]);
    });
    socket.on("end", () => resolve("closed"));
    socket.on("error", (error) => resolve(error.code));
    setTimeout(() => resolve("nothing"), 3000);
  });
}
(async () => {
  const seen = [];
  for (const [query, headers] of [["", ""], ["", UPGRADE], ["watched", UPGRADE]]) {
    seen.push(`${await ask(`/?${query}`, headers)} ${await ask(`/?late&${query}`, headers)}`);
  }
  console.log(`GET: ${seen[0]}, upgrade: ${seen[1]}, upgrade that is watched: ${seen[2]}`);
  process.exit(`${seen}` === "200 closed,101 nothing,101 closed" ? 0 : 1);
})();
JS
DENO_DIR="$dir/cache" ./node_modules/deno/deno run --no-config --unstable-no-legacy-abort -A server.mjs > said &
server=$!
until [ -s said ]; do sleep 0.1; done
node client.cjs "$(cat said)" && [ "$(wc -l < said)" = 1 ] || { echo "not any more"; exit 1; }
