/**
 * Machines for a test: network namespaces, each with an address, a name and a hosts file of its own.
 *
 *     the test's own, .1 ───────────────┐
 *     gateway.test, .2 (or .1 as well) ─┤
 *     harness.test, .4 ─────────────────┼─ router, .14
 *     nat.test, .3 ─────────────────────┘
 *       ├─ executor.test, 192.168.77.10
 *       └─ executor-2.test, 192.168.77.11
 *
 * Nobody can dial an executor's machine: `nat.test` translates addresses, and nobody else has a route to
 * what is behind it. No two machines share a loopback. In a test:
 *
 *     hostsTest("…", { executors: 2 }, async (hosts) => {
 *       const url = hosts.gateway.url(gateway.port);          // http://gateway.test:PORT
 *       const [program, ...args] = hosts.executor.command(["codex", "exec-server", …], directory);
 *       await hosts.harness.run("getent hosts gateway.test"); // what it prints
 *       await hosts.harness.link.pace({ rate: 10_000_000 });  // or .cut()
 *       await using _delay = await delayTo(hosts, gateway.port, 50); // ms each way
 *     });
 *
 * A gateway in the test's process listens for them with `{ host: "0.0.0.0" }`. Runs beside each other do
 * not meet, and of one that is killed nothing is left: see `namespace.ts`.
 *
 * @module
 */
import { Host } from "./host.ts";
import { type End, InUse, Link } from "./link.ts";
import { Namespace, whyNoNamespaces } from "./namespace.ts";

export { Host } from "./host.ts";
export { whyNoDelay } from "./link.ts";
export { delayTo } from "./delay.ts";

/** Why there can be no machines here; `undefined` where there can. */
export const whyNoHosts: string | undefined = whyNoNamespaces;

if (whyNoHosts !== undefined) {
  // deno-lint-ignore no-console -- the runner has no place for the reason why it ignores a test
  console.warn(`tests that need machines of their own are ignored: ${whyNoHosts}`);
}

/** The network behind the translation of addresses: everybody's is the same, as elsewhere. */
const PRIVATE = "192.168.77";

/** What comes from behind leaves with the router's address, and only answers to it come in (nft(8)). */
const TRANSLATION = `echo 1 > /proc/sys/net/ipv4/ip_forward && nft -f - <<'END'
table ip cxg {
  chain leaving {
    type nat hook postrouting priority 100;
    oifname "eth0" masquerade
  }
  chain passing {
    type filter hook forward priority 0;
    ct state established,related accept
    iifname "eth0" drop
  }
}
END`;

/** What a test may want otherwise. */
export interface HostsOptions {
  /** Where the gateway runs: on the test's own machine (`here`, as usual), or on one of its own. */
  readonly gateway?: "here" | "apart";
  /** How many machines there are for executors: one when absent. */
  readonly executors?: number;
}

/** The machines of one test. Disposing removes them, and what runs on them. */
export interface Hosts extends AsyncDisposable {
  /** The test's own, as the others see it, `test.test`: what the test serves for them listens there. */
  readonly own: Host;
  readonly gateway: Host;
  readonly harness: Host;
  /** The first of those for executors. */
  readonly executor: Host;
  readonly executors: readonly Host[];
  /** What everybody's traffic to everybody passes through. */
  readonly router: Host;
}

/**
 * Makes machines.
 *
 * @throws where {@linkcode whyNoHosts} says why
 */
export async function makeHosts(options: HostsOptions = {}): Promise<Hosts> {
  for (;;) {
    try {
      return await makeIn(randomNetwork(), options);
    } catch (error) {
      if (!(error instanceof InUse)) throw error;
    }
  }
}

/** Registers a test with machines of its own; ignored where there can be none. */
export function hostsTest(
  name: string,
  options: HostsOptions,
  test: (hosts: Hosts, context: Deno.TestContext) => Promise<void>,
): void {
  Deno.test({
    name,
    ignore: whyNoHosts !== undefined,
    async fn(context) {
      await using hosts = await makeHosts(options);
      await test(hosts, context);
    },
  });
}

/** Sixteen addresses. */
interface Network {
  readonly cidr: string;
  at(number: number): string;
}

/** One of the block for such tests (RFC 2544), 198.18.0.0/15. */
function randomNetwork(): Network {
  const first = crypto.getRandomValues(new Uint16Array(1))[0]! % 8192 * 16;
  const at = (number: number) => {
    const n = first + number;
    return `198.${18 + (n >> 16)}.${n >> 8 & 255}.${n & 255}`;
  };
  return { cidr: `${at(0)}/28`, at };
}

async function makeIn(
  network: Network,
  { gateway: where = "here", executors: count = 1 }: HostsOptions,
): Promise<Hosts> {
  await using making = new AsyncDisposableStack();
  const namespaces: Namespace[] = [];
  const make = async (name: string) => {
    const namespace = making.use(await Namespace.make(name));
    namespaces.push(namespace);
    return namespace;
  };
  const join = async (name: string, address: string, router: Required<End>) => {
    const namespace = await make(name);
    const link = await Link.join({ namespace, address }, router, "default");
    return { host: new Host(name, address, link, namespace), namespace };
  };

  const router = { namespace: await make("router.test"), address: network.at(14) };
  await router.namespace.run("echo 1 > /proc/sys/net/ipv4/ip_forward");
  // First, since a network that is taken shows here.
  const link = await Link.join({ address: network.at(1) }, router, network.cidr);
  const own = new Host("test.test", network.at(1), link, undefined);
  const gateway = where === "here"
    ? new Host("gateway.test", own.address, link, undefined)
    : (await join("gateway.test", network.at(2), router)).host;
  const { host: harness } = await join("harness.test", network.at(4), router);
  const { namespace: nat } = await join("nat.test", network.at(3), router);
  await nat.run(TRANSLATION);
  const executors = [];
  for (let n = 0; n < count; n++) {
    const name = n === 0 ? "executor.test" : `executor-${n + 1}.test`;
    const behind = { namespace: nat, address: `${PRIVATE}.1` };
    executors.push((await join(name, `${PRIVATE}.${10 + n}`, behind)).host);
  }

  const lines = ["127.0.0.1 localhost", "::1 localhost"];
  for (const { name, address } of [own, gateway, harness, ...executors]) {
    lines.push(`${address} ${name}`);
  }
  for (const namespace of namespaces) {
    await namespace.run(`cat > /etc/hosts <<'END'\n${lines.join("\n")}\nEND`);
  }

  const made = making.move();
  return {
    own,
    gateway,
    harness,
    executor: executors[0]!,
    executors,
    router: new Host("router.test", router.address, link, router.namespace),
    [Symbol.asyncDispose]: () => made[Symbol.asyncDispose](),
  };
}
