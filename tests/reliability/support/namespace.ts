/** A network namespace joined to the test's own by a pair of virtual interfaces. */
export class Namespace implements AsyncDisposable {
  readonly name: string;
  /** The address of the test's end. */
  readonly gatewayAddress: string;
  readonly #inside: string;

  private constructor(name: string, subnet: string) {
    this.name = name;
    this.gatewayAddress = `${subnet}.1`;
    this.#inside = `${name}b`;
  }

  /** Whether this process may make one. */
  static async isPossible(): Promise<boolean> {
    if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
    try {
      await using _namespace = await Namespace.make();
      return true;
    } catch {
      return false;
    }
  }

  static async make(): Promise<Namespace> {
    const [a, b, c] = crypto.getRandomValues(new Uint8Array(3));
    const name = `cxg${(a! << 16 | b! << 8 | c!).toString(16)}`;
    // Of the block for such tests (RFC 2544).
    const subnet = `198.${18 + a! % 2}.${b}`;
    const outside = `${name}a`;
    const namespace = new Namespace(name, subnet);
    await ip("netns", "add", name);
    try {
      const inside = namespace.#inside;
      await ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", name);
      await ip("address", "add", `${subnet}.1/24`, "dev", outside);
      await ip("link", "set", outside, "up");
      await ip("-n", name, "address", "add", `${subnet}.2/24`, "dev", inside);
      await ip("-n", name, "link", "set", inside, "up");
      return namespace;
    } catch (error) {
      await namespace[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Takes its end of the link away: nothing more arrives, and nobody is told. */
  async cut(): Promise<void> {
    await ip("-n", this.name, "link", "set", this.#inside, "down");
  }

  /** Removes it, and with it the interfaces. */
  async [Symbol.asyncDispose](): Promise<void> {
    await ip("netns", "delete", this.name);
  }
}

async function ip(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("ip", { args }).output();
  if (!success) throw new Error(`ip ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}
