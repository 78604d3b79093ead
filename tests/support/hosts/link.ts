/**
 * The wires between the machines of a test.
 *
 * @module
 */
import { Namespace, whyNoNamespaces } from "./namespace.ts";

/** The name of a machine's interface; the test's own has one with a name of its own. */
const DEVICE = "eth0";

/** A machine at the end of a link. */
export interface End {
  /** The test's own machine when absent. */
  readonly namespace?: Namespace;
  /** IPv4. */
  readonly address: string;
}

/** How slow a link is, in each direction. */
export interface Pace {
  /** One way, in milliseconds; only where {@linkcode whyNoDelay} does not say why not. */
  readonly delayMs?: number;
  /** Bits a second. */
  readonly rate?: number;
}

/** Why no link can have a delay here; `undefined` where one can. Linux may be built without netem. */
export async function whyNoDelay(): Promise<string | undefined> {
  if (whyNoNamespaces !== undefined) return whyNoNamespaces;
  await using namespace = await Namespace.make("probe.test");
  try {
    await namespace.run("tc qdisc add dev lo root netem delay 1ms");
    return undefined;
  } catch (error) {
    return `a link cannot be given a delay: ${error}`;
  }
}

/** A wire between a machine and the router that it hangs on. It goes when either does. */
export class Link {
  readonly #machine: Namespace | undefined;
  readonly #router: Namespace;
  readonly #machineDevice: string;
  readonly #routerDevice: string;

  private constructor(machine: Namespace | undefined, router: Namespace) {
    const unique = crypto.getRandomValues(new Uint32Array(1))[0]!.toString(36);
    this.#machine = machine;
    this.#router = router;
    this.#routerDevice = `cxg${unique}`;
    this.#machineDevice = machine === undefined ? `cxg${unique}` : DEVICE;
  }

  /**
   * Joins a machine to a router.
   *
   * @param reaches what the machine finds behind the router: a network, or `default`
   * @throws {@linkcode InUse} when the test's own machine has such a route or interface already
   */
  static async join(
    { namespace: machine, address }: End,
    router: Required<End>,
    reaches: string,
  ): Promise<Link> {
    const link = new Link(machine, router.namespace);
    const [near, far] = [link.#machineDevice, link.#routerDevice];
    const routed = `dev ${near} via ${router.address} src ${address}`;
    try {
      await router.namespace.run(
        `ip link add ${far} type veth peer name ${near} netns ${machine?.pid ?? Deno.pid} &&
         ip address add ${router.address}/32 dev ${far} noprefixroute &&
         ip link set ${far} up && ip route add ${address}/32 dev ${far}`,
      );
      await runIn(
        machine,
        `ip address add ${address}/32 dev ${near} noprefixroute && ip link set ${near} up &&
         ip route add ${reaches} ${routed} onlink`,
      );
    } catch (error) {
      throw String(error).includes("File exists") ? new InUse(String(error)) : error;
    }
    return link;
  }

  /** From now on nothing passes, and neither end is told. */
  async cut(): Promise<void> {
    await this.#onBothEnds((device) => `tc qdisc replace dev ${device} root ${NOTHING}`);
  }

  /**
   * Sets how fast it is, in each direction; with nothing named, as fast as it was made.
   *
   * @throws when a delay is asked for and the kernel has none
   */
  async pace(pace: Pace = {}): Promise<void> {
    await this.#onBothEnds((device) => {
      const discipline = disciplineOf(pace);
      const replace = `tc qdisc replace dev ${device} root`;
      return `${replace} ${discipline ?? "pfifo"}`;
    });
  }

  /** The name of the machine's interface. */
  get device(): string {
    return this.#machineDevice;
  }

  async #onBothEnds(script: (device: string) => string): Promise<void> {
    await runIn(this.#machine, script(this.#machineDevice));
    await this.#router.run(script(this.#routerDevice));
  }
}

/** A queue with room for nothing. */
const NOTHING = "bfifo limit 0";

/** Another rig has that interface or network. */
export class InUse extends Error {
  override readonly name = "InUse";
}

/** What `tc qdisc` is told: see tc-netem(8) and tc-tbf(8). */
function disciplineOf({ delayMs, rate }: Pace): string | undefined {
  if (delayMs !== undefined) {
    return `netem limit 100000 delay ${delayMs}ms${rate === undefined ? "" : ` rate ${rate}bit`}`;
  }
  return rate === undefined ? undefined : `tbf rate ${rate}bit burst 64kb latency 400ms`;
}

/** Runs shell commands in a namespace, or on the test's own machine; returns what they printed. */
export async function runIn(namespace: Namespace | undefined, script: string): Promise<string> {
  if (namespace !== undefined) return await namespace.run(script);
  const command = new Deno.Command("sh", { args: ["-c", `exec 2>&1\n${script}`] });
  const { success, stdout } = await command.output();
  const printed = new TextDecoder().decode(stdout);
  if (!success) throw new Error(`${script}: ${printed}`);
  return printed;
}
