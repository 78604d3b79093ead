#!/bin/sh
# Deno 2.9.6: a paused socket of node:tls reads on, without end, into memory.
#
# `socket.pause()` is how a program of node:net holds back a peer that sends faster than it can use it: what the
# peer has sent stays in the kernel, and soon the peer has to wait. One would expect the same of a socket of
# node:tls, which is one of node:net. A peer sends 64 MiB, and the client pauses at its first byte. Seen:
#
#   deno 2.9.6, node:net   some MiB are taken from the peer, then it waits
#   deno 2.9.6, node:tls   all 64 MiB are taken and kept in the client's memory (`readableLength` says
#                          some 100 KiB), and the peer never has to wait
#   node 20, node:tls      some MiB, then it waits
#
# So back-pressure through such a socket (`pipe`, `for await`, a proxy's) does not work: one has to read the TCP
# connection oneself and give `new TLSSocket` a Duplex that reads only when it may.
#
# Needs: npm, node, openssl. Exits 0 while that is so, 1 when it is not any more.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --prefix "$dir" deno@2.9.6 >/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem \
  -days 2 -subj /CN=localhost 2>/dev/null
cat > pause.mjs <<'EOF'
import { Buffer } from "node:buffer";
import fs from "node:fs";
import net from "node:net";
import process from "node:process";
import tls from "node:tls";

const MIB = 1024 * 1024;
const TOTAL = 64 * MIB;
const overTls = process.argv[2] === "tls";
const files = { cert: fs.readFileSync("cert.pem"), key: fs.readFileSync("key.pem") };
let taken = 0;
let movedAt = Date.now();

const server = (overTls ? tls : net).createServer(overTls ? files : {}, (socket) => {
  const chunk = Buffer.alloc(65536);
  socket.on("error", () => {});
  const send = () =>
    socket.write(chunk, (error) => {
      if (error) return;
      taken += chunk.length;
      movedAt = Date.now();
      if (taken < TOTAL) send();
    });
  send();
});
server.listen(0, "127.0.0.1", () => {
  const { port } = server.address();
  const client = overTls
    ? tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false })
    : net.connect(port, "127.0.0.1");
  client.on("error", () => {});
  client.on("data", () => client.pause());
  // Until nothing has moved for two seconds, or all of it has.
  setInterval(() => {
    if (taken < TOTAL && Date.now() - movedAt < 2000) return;
    console.log(taken >= TOTAL ? "all" : "some");
    process.exit();
  }, 50);
});
EOF
deno=./node_modules/.bin/deno
export DENO_DIR="$dir/cache"
expect() {
  said=$("$@" 2>&1)
  echo "$* : $said"
}
expect "$deno" run -A pause.mjs net; [ "$said" = some ] || exit 1
expect "$deno" run -A pause.mjs tls; [ "$said" = all ] || { echo "not any more"; exit 1; }
expect node pause.mjs tls; [ "$said" = some ] || exit 1
