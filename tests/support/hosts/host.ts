import type { Link } from "./link.ts";
import type { Namespace } from "./namespace.ts";

/** A machine of a test, or the test's own. */
export class Host {
  /** What the other machines know it by: `gateway.test`, say. */
  readonly name: string;
  /** IPv4. */
  readonly address: string;
  /** What joins it to the others. */
  readonly link: Link;
  readonly #namespace: Namespace | undefined;

  /** @param namespace `undefined` for the test's own machine */
  constructor(name: string, address: string, link: Link, namespace: Namespace | undefined) {
    this.name = name;
    this.address = address;
    this.link = link;
    this.#namespace = namespace;
  }

  /** The base URL, by its name, of a server that it has. */
  url(port: number, scheme = "http"): string {
    return `${scheme}://${this.name}:${port}`;
  }

  /**
   * The command line that starts a program there, and becomes it: the process is the same. The program
   * sees the test's files, but for the hosts file, and a network of its own.
   *
   * @param cwd where it starts: an absolute path
   */
  command(argv: readonly string[], cwd: string): string[] {
    return this.#namespace?.command(argv, cwd) ?? ["env", `--chdir=${cwd}`, ...argv];
  }

  /**
   * Runs shell commands there.
   *
   * @returns what they printed
   * @throws when the last of them fails, with what they printed
   */
  async run(script: string): Promise<string> {
    if (this.#namespace === undefined) throw new Error(`${this.name} is the test's own machine`);
    return await this.#namespace.run(script);
  }
}
