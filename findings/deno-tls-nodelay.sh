#!/bin/sh
# Deno 2.9.6: what `Deno.serve` and `Deno.listenTls` accept by TLS has no TCP_NODELAY, and no way to set it.
#
# `Deno.serve` without TLS sets it, and a `Deno.TcpConn` has `setNoDelay`; one would expect as much of TLS. But a
# `Deno.TlsConn` has no such method, and the server with a certificate sets nothing: Nagle's algorithm keeps the last
# segment of a message back until the one before is acknowledged, and the peer delays its acknowledgement (40 ms on
# Linux). A websocket echo over loopback, one message in flight, by a client (Node, ws) that does set
# TCP_NODELAY, medians seen with deno 2.9.6:
#
#   Deno.serve              16 KiB  0.1 ms   64 KiB  0.2 ms
#   Deno.serve {cert, key}  16 KiB   44 ms   64 KiB   44 ms
#
# What comes about from it: small messages are quick (1 KiB: 0.1 ms), so that a first look shows nothing.
#
# Needs: npm, node, openssl. Exits 0 while the TLS echo takes 20 ms more, 1 when it does not any more.
set -eu
dir=$(mktemp -d)
trap 'kill $server 2>/dev/null || true; rm -rf "$dir"' EXIT
server=
cd "$dir"
npm install --silent --no-audit --no-fund --prefix "$dir" deno@2.9.6 ws@8.23.0 >/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem \
  -days 2 -subj /CN=localhost 2>/dev/null
cat > server.mjs <<'EOF'
function echo(request) {
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => socket.send(data);
  return response;
}
const options = { hostname: "127.0.0.1", port: 0, onListen() {} };
const cert = Deno.readTextFileSync("cert.pem"), key = Deno.readTextFileSync("key.pem");
const plain = Deno.serve(options, echo), tls = Deno.serve({ ...options, cert, key }, echo);
console.log(`ws://127.0.0.1:${plain.addr.port} wss://127.0.0.1:${tls.addr.port}`);
EOF
cat > client.cjs <<'EOF'
const { once } = require("node:events");
const WebSocket = require("ws");
async function median(url, size) {
  const socket = new WebSocket(url, { rejectUnauthorized: false, perMessageDeflate: false });
  await once(socket, "open");
  socket._socket.setNoDelay(true);
  const times = [];
  for (let i = 0; i < 21; i++) {
    const started = performance.now();
    socket.send(Buffer.alloc(size));
    await once(socket, "message");
    times.push(performance.now() - started);
  }
  socket.terminate();
  return times.sort((a, b) => a - b)[10];
}
(async () => {
  let isSo = true;
  for (const size of [16384, 65536]) {
    const [plain, tls] = [await median(process.argv[2], size), await median(process.argv[3], size)];
    console.log(`${size} bytes: ${plain.toFixed(2)} ms, over TLS ${tls.toFixed(2)} ms`);
    isSo &&= tls > plain + 20;
  }
  process.exit(isSo ? 0 : 1);
})();
EOF
DENO_DIR="$dir/cache" ./node_modules/deno/deno run -A server.mjs > urls &
server=$!
until grep -q wss urls 2>/dev/null; do sleep 0.1; done
# shellcheck disable=SC2046
node client.cjs $(cat urls) || { echo "not any more"; exit 1; }
