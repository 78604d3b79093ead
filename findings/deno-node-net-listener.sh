#!/bin/sh
# Deno 2.9.6: a server of node:net (so of node:tls, node:http, node:https) that has once run out of file
# descriptors accepts nothing any more, and says nothing.
#
# In Node a listener that cannot accept for want of a descriptor closes that one connection and goes on; in Deno's own
# API `Deno.listen` has its `accept()` reject, and may be asked again. Seen with deno 2.9.6 from npm, with a limit of
# 60 descriptors, 80 connections opened and closed again, and then one more:
#
#   node 20      the one more is answered
#   deno 2.9.6   no 'error', no 'close', `server.listening` is true, the descriptors are free again, and the
#                one more connects (the kernel's queue takes it) and waits for ever
#
# So a public service on node:net ends for good at its first burst of connections. `Deno.listen` does not.
#
# Needs: npm, node. Exits 0 while that is so, 1 when it is not any more.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --prefix "$dir" deno@2.9.6 >/dev/null
cat > server.mjs <<'EOF'
import net from "node:net";
import process from "node:process";
// A program that listens to no signal before it is out of descriptors is another matter.
process.on("SIGUSR2", () => {});
const server = net.createServer((socket) => {
  socket.on("error", () => {});
  socket.on("data", (data) => socket.end(data));
});
server.on("error", (error) => console.log(`error ${error.code}`));
server.on("close", () => console.log("closed"));
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
EOF
cat > client.mjs <<'EOF'
import net from "node:net";
import process from "node:process";
const port = Number(process.argv[2]);
const dial = () =>
  new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => resolve(socket));
    socket.on("error", () => {});
  });
const echo = (waitMs) =>
  new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => socket.write("hello"));
    socket.on("data", () => resolve("answered"));
    socket.on("error", (error) => resolve(error.code));
    setTimeout(() => resolve("silent"), waitMs);
  });
await echo(5000);
const held = [];
for (let i = 0; i < 80; i++) held.push(await dial());
await new Promise((resolve) => setTimeout(resolve, 1000));
for (const socket of held) socket.destroy();
await new Promise((resolve) => setTimeout(resolve, 1000));
console.log(await echo(5000));
process.exit();
EOF

# try COMMAND...: runs the server with few descriptors; "answered" or "silent"
try() {
  : > out
  (unset NODE_EXTRA_CA_CERTS; ulimit -n 60; exec "$@" server.mjs > out 2>&1) &
  server=$!
  until grep -q '^[0-9]' out; do sleep 0.1; done
  said=$(node client.mjs "$(head -1 out)")
  kill $server 2>/dev/null || true
  wait $server 2>/dev/null || true
  echo "$1: $said $(tail -n +2 out | sort | uniq -c | tr -s ' \n' ' ')"
}
export DENO_DIR="$dir/cache"
try node; [ "$said" = answered ] || exit 1
try "$dir/node_modules/deno/deno" run -A; [ "$said" = silent ] || { echo "not any more"; exit 1; }
