#!/bin/sh
# Deno 2.9.6: a server's websocket takes no frame of 64 MiB, and cuts who sends one without a close code.
#
# RFC 6455 has 1009 for a message that is too big. One would expect it, or a limit that is written down or can be set
# (`ws` on Node has `maxPayload`). What a server of `Deno.serve` and `Deno.upgradeWebSocket` makes of messages:
#
#   64 MiB less one byte, in one frame   arrives
#   64 MiB, in one frame                 the connection is cut: the client is told 1006
#   64 MiB, in two frames                arrives
#
# So a limit of one's own that is to be answered with 1009 has to be lower than that. It is one of frames, which
# clients choose as they like: most send a message in one.
#
# Needs: npm, node. Exits 0 while that is so, 1 when it is not any more.
set -eu
dir=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --prefix "$dir" deno@2.9.6 ws@8.23.0 >/dev/null
cat > server.mjs <<'JS'
const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => socket.send(`${data.byteLength} bytes`);
  return response;
});
console.log(server.addr.port);
JS
cat > client.cjs <<'JS'
const WebSocket = require("ws");
const EDGE = 64 * 1024 * 1024;
function send(bytes, frames) {
  return new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${process.argv[2]}`, { perMessageDeflate: false });
    socket.on("error", () => {});
    socket.on("open", () => {
      for (let n = 1; n <= frames; n++) socket.send(Buffer.alloc(bytes / frames), { fin: n === frames });
    });
    socket.on("message", (data) => {
      resolve(`${data}`);
      socket.terminate();
    });
    socket.on("close", (code) => resolve(`closed with ${code}`));
  });
}
(async () => {
  let isSo = true;
  const expected = [
    [EDGE - 1, 1, `${EDGE - 1} bytes`],
    [EDGE, 1, "closed with 1006"],
    [EDGE, 2, `${EDGE} bytes`],
  ];
  for (const [bytes, frames, outcome] of expected) {
    const seen = await send(bytes, frames);
    console.log(`${bytes} bytes in ${frames}: ${seen}`);
    isSo &&= seen === outcome;
  }
  process.exit(isSo ? 0 : 1);
})();
JS
DENO_DIR="$dir/cache" ./node_modules/deno/deno run -A server.mjs > port &
server=$!
until [ -s port ]; do sleep 0.1; done
node client.cjs "$(cat port)" || { echo "not any more"; exit 1; }
