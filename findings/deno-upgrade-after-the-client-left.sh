#!/bin/sh
# Deno 2.9.6: a websocket upgrade that is answered after its client has gone keeps the connection's file
# descriptor for as long as the process lives, and causes no event: neither "open" nor "close" nor "error"
# is told. A handler that waits for anything, however short, before it calls Deno.upgradeWebSocket meets it.
# The request's signal says nothing of it either, unless it was asked for *before* the wait: then the
# runtime notices that the client goes, and a handler that looks can do without the upgrade.
#
# Seen: 100 clients that send a handshake and close. Signal asked for after the wait: 100 descriptors stay.
# Asked for before it, and looked at: none.
#
# Needs: npm, Linux. Installs deno@2.9.6 from npm in a temporary folder.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-save --prefix "$dir" deno@2.9.6 >/dev/null
cat > seen.ts <<'TS'
const early = Deno.args[0] === "early";
let events = 0;
const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (req) => {
  if (early) void req.signal;
  await new Promise((resolve) => setTimeout(resolve, 5));
  if (req.signal.aborted) return new Response(null, { status: 499 });
  const { socket, response } = Deno.upgradeWebSocket(req);
  for (const type of ["open", "close", "error"]) socket.addEventListener(type, () => events++);
  return response;
});
const descriptors = () => [...Deno.readDirSync("/proc/self/fd")].length;
const handshake = new TextEncoder().encode(
  "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
);
const before = descriptors();
for (let n = 0; n < 100; n++) {
  const client = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
  await client.write(handshake);
  client.close();
  await new Promise((resolve) => setTimeout(resolve, 10));
}
await new Promise((resolve) => setTimeout(resolve, 3000));
console.log(`${descriptors() - before > 50 ? "kept" : "gone"} ${events}`);
Deno.exit(0);
TS
late=$(node_modules/.bin/deno run --no-config --unstable-no-legacy-abort -A seen.ts late)
early=$(node_modules/.bin/deno run --no-config --unstable-no-legacy-abort -A seen.ts early)
echo "signal asked for after the wait: $late; before it: $early"
[ "$late" = "kept 0" ] && [ "$early" = "gone 0" ]
