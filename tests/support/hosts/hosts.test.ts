import assert from "node:assert/strict";
import { exists } from "../files.ts";
import { until } from "../websocket.ts";
import { delayTo, type Host, hostsTest, makeHosts, whyNoDelay, whyNoHosts } from "./hosts.ts";

hostsTest("each machine has a name, an address and a loopback of its own", {
  gateway: "apart",
  executors: 2,
}, async (hosts) => {
  const machines = [hosts.gateway, hosts.harness, ...hosts.executors];
  const addresses = [hosts.own, ...machines].map(({ address }) => address);
  assert.equal(new Set(addresses).size, 5);
  using here = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  for (const machine of machines) {
    assert.equal(await machine.run("cat /proc/sys/kernel/hostname"), `${machine.name}\n`);
    const found = await machine.run("getent hosts gateway.test harness.test test.test");
    assert.deepEqual(found.trim().split("\n").map((line) => line.split(/ +/)), [
      [hosts.gateway.address, "gateway.test"],
      [hosts.harness.address, "harness.test"],
      [hosts.own.address, "test.test"],
    ]);
    assert.equal(await dial(machine, "127.0.0.1", here.addr.port), "refused");
  }
});

hostsTest("an executor's machine dials out, and nobody dials in", {
  gateway: "apart",
}, async (hosts) => {
  const { gateway, harness, executor } = hosts;
  using here = Deno.listen({ hostname: hosts.own.address, port: 0 });
  for (const machine of [gateway, harness, executor]) {
    const accepting = here.accept();
    assert.equal(await dial(machine, "test.test", here.addr.port), "connected");
    using client = await accepting;
    const { hostname } = client.remoteAddr as Deno.NetAddr;
    assert.equal(
      hostname === machine.address,
      machine !== executor,
      `${machine.name}: ${hostname}`,
    );
  }
  // A port that nobody listens on answers, if it is reached.
  assert.equal(await dial(executor, "gateway.test", 1), "refused");
  assert.equal(await dial(gateway, "harness.test", 1), "refused");
  assert.equal(await dial(gateway, "executor.test", 1), "no answer");
});

hostsTest("a link can be cut, and mended", {}, async ({ harness, own }) => {
  using here = Deno.listen({ hostname: own.address, port: 0 });
  await harness.link.cut();
  assert.equal(await dial(harness, own.address, here.addr.port), "no answer");
  await harness.link.pace();
  // What was asked in vain meanwhile may be asked again only after a while.
  await until(
    "it is reached again",
    async () => await dial(harness, own.address, here.addr.port) === "connected",
    60_000,
  );
});

hostsTest("a link can be given a rate", {}, async ({ harness, own }) => {
  using here = Deno.listen({ hostname: own.address, port: 0 });
  const bytes = 1_000_000;
  await harness.link.pace({ rate: bytes * 8 });
  const sent = harness.run(
    `bash -c 'head -c ${bytes} /dev/zero > /dev/tcp/${own.address}/${here.addr.port}'`,
  );
  using client = await here.accept();
  const start = performance.now();
  let received = 0;
  for await (const chunk of client.readable) received += chunk.length;
  await sent;
  assert.equal(received, bytes);
  const seconds = (performance.now() - start) / 1000;
  assert.ok(seconds > 0.8, `${seconds} s for what takes a second`);
});

Deno.test({
  name: "a link can be given a delay",
  ignore: await whyNoDelay() !== undefined,
  async fn() {
    await using hosts = await makeHosts();
    const { harness, own } = hosts;
    using here = Deno.listen({ hostname: own.address, port: 0 });
    await harness.link.pace({ delayMs: 100 });
    const start = performance.now();
    assert.equal(await dial(harness, own.address, here.addr.port), "connected");
    const ms = performance.now() - start;
    assert.ok(ms >= 200, `${ms} ms for a way there and back of 100 ms each`);
  },
});

hostsTest("the way to the gateway can be made longer", {}, async (hosts) => {
  using gateway = Deno.listen({ hostname: hosts.gateway.address, port: 0 });
  const { port } = gateway.addr;
  await using _delay = await delayTo(hosts, port, 100);
  const start = performance.now();
  const asking = hosts.executor.run(
    `bash -c 'exec 3<>/dev/tcp/gateway.test/${port}; echo question >&3; cat <&3'`,
  );
  using client = await gateway.accept();
  const question = new Uint8Array(9);
  await client.read(question);
  assert.equal(new TextDecoder().decode(question), "question\n");
  await client.write(new TextEncoder().encode("answer"));
  await client.closeWrite();
  assert.equal(await asking, "answer");
  const ms = performance.now() - start;
  assert.ok(ms >= 200, `${ms} ms for a way there and back of 100 ms each`);
});

hostsTest("rigs beside each other do not meet", {}, async (hosts) => {
  await using others = await makeHosts();
  assert.notEqual(hosts.own.address, others.own.address);
  assert.equal(await dial(hosts.harness, others.harness.address, 1), "no answer");
});

Deno.test({
  name: "nothing is left of machines whose test was killed",
  ignore: whyNoHosts !== undefined,
  async fn() {
    // What it starts on a machine is to end with it.
    const script = new URL("killed.ts", import.meta.url).pathname;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", script],
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const { value } = await reader.read();
    const { device, pid } = JSON.parse(value!);
    const left = async () => [
      await exists(`/sys/class/net/${device}`),
      await exists(`/proc/${pid}`),
    ];
    assert.deepEqual(await left(), [true, true]);
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    await until("both are gone", async () => !(await left()).includes(true));
  },
});

/** What comes of a TCP connection from a machine. */
async function dial(from: Host, to: string, port: number) {
  const script = `timeout 2 bash -c ': < /dev/tcp/${to}/${port}'; echo "exit $?"`;
  const said = await from.run(script);
  if (said.includes("exit 0")) return "connected";
  return said.includes("Connection refused") ? "refused" : "no answer";
}
