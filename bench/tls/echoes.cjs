// Both ends of a bridge on each of several gateways, on Node with npm:ws, which sets TCP_NODELAY. The executor sends
// back what it gets; the harnesses send one message and wait for it, each gateway in turn. Reads its task from
// standard input, and prints how long each echo took, in milliseconds, as JSON.
//
// node echoes.cjs DIRECTORY_OF_WS < {"bridges": [{"executor": URL, "bridge": URL, "ca"?: PEM}], "sizes", "warmUp", "echoes"}
const WebSocket = require(process.argv[2]);
const { once } = require("node:events");
const { text } = require("node:stream/consumers");

async function main() {
  const { bridges, sizes, warmUp, echoes } = JSON.parse(await text(process.stdin));
  const harnesses = [];
  for (const { executor, bridge, ca } of bridges) {
    const far = await dial(executor, ca);
    far.on("message", (data) => far.send(data));
    harnesses.push(await dialUntilLetIn(bridge, ca));
  }
  const times = [];
  for (const size of sizes) {
    const message = Buffer.alloc(size, 7);
    const taken = harnesses.map(() => []);
    for (let i = -warmUp; i < echoes; i++) {
      for (const [n, harness] of harnesses.entries()) {
        const ms = await echo(harness, message);
        if (i >= 0) taken[n].push(ms);
      }
    }
    times.push(taken);
  }
  process.stdout.write(JSON.stringify(times), () => process.exit());
}

async function dial(url, ca) {
  const socket = new WebSocket(url, { perMessageDeflate: false, ca });
  await once(socket, "open");
  return socket;
}

/** An executor is there a moment after its websocket has opened. */
async function dialUntilLetIn(url, ca) {
  for (;;) {
    try {
      return await dial(url, ca);
    } catch (error) {
      if (!/ 503$/.test(error.message)) throw error;
    }
  }
}

async function echo(harness, message) {
  const started = performance.now();
  harness.send(message);
  const [back] = await once(harness, "message");
  const ms = performance.now() - started;
  if (!message.equals(back)) throw new Error("something else came back");
  return ms;
}

main();
