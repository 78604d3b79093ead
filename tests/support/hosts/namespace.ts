/**
 * A machine of a test's own: a network with nothing in it but loopback, a hosts file and a host name.
 *
 * It lives as long as a shell whose standard input is a pipe of the test's process, so that nothing is
 * left of it when that process is killed: the shell ends, ends what still runs in the namespace, and
 * the kernel takes the namespace and its interfaces away. It has no name in `/run/netns`, and its
 * hosts file stands in no directory that others see.
 *
 * @module
 */

/** What a namespace is made and entered with: util-linux, iproute2. */
const NEEDED = ["unshare", "nsenter", "ip", "tc", "nft"] as const;

/** Run by the shell when its input ends: kills what else is in its network. */
const LAST_WORDS = `trap '
  network=$(readlink /proc/$$/ns/net)
  for it in $(find /proc/[0-9]*/ns/net -lname "net:\\\\[\${network#net:?}" 2>/dev/null); do
    it=\${it#/proc/}; it=\${it%%/*}
    [ "$it" = $$ ] || kill -9 "$it" 2>/dev/null
  done' EXIT`;

/**
 * Files that only processes in the namespace see: a hosts file, and no name server. Who asks one all
 * the same is to give up soon: musl, which codex is built with, waits though the port is closed.
 */
const OWN_FILES =
  `mount -t tmpfs cxg /mnt && touch /mnt/hosts && echo options timeout:1 attempts:1 > /mnt/resolv.conf &&
  for it in hosts resolv.conf; do
    [ ! -e /etc/$it ] || mount --bind /mnt/$it /etc/$it || exit 1
  done && umount -l /mnt`;

/** A namespace. Disposing removes it, and what runs in it. */
export class Namespace implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;
  #unread = "";
  #last: Promise<unknown> = Promise.resolve();

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#input = child.stdin.getWriter();
    this.#output = child.stdout.pipeThrough(new TextDecoderStream() as TextTransform).getReader();
  }

  /**
   * Makes one.
   *
   * @param hostName what `hostname` says in it
   * @throws when this process may not; see {@linkcode whyNoNamespaces}
   */
  static async make(hostName: string): Promise<Namespace> {
    const child = new Deno.Command("unshare", {
      args: ["--net", "--mount", "--uts", "sh"],
      stdin: "piped",
      stdout: "piped",
      // What fails to start says why on the test's own standard error.
      stderr: "inherit",
    }).spawn();
    const namespace = new Namespace(child);
    try {
      await namespace.run(
        `${LAST_WORDS}
        echo ${hostName} > /proc/sys/kernel/hostname &&
        ${OWN_FILES} && ip link set lo up`,
      );
      return namespace;
    } catch (error) {
      await namespace[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The process that the namespace belongs to: what `ip … netns PID` takes. */
  get pid(): number {
    return this.#child.pid;
  }

  /**
   * The command line of a program that is to run in it. Started, it becomes the program: the process
   * is the same.
   *
   * @param cwd where it starts, since a relative path means nothing in there
   */
  command(argv: readonly string[], cwd = "/"): string[] {
    const namespaces = ["--net", "--mount", "--uts"];
    return ["nsenter", `--target=${this.pid}`, ...namespaces, "env", `--chdir=${cwd}`, ...argv];
  }

  /**
   * Runs shell commands in it, one call after the other.
   *
   * @returns what they printed
   * @throws when the last of them fails
   */
  run(script: string): Promise<string> {
    const running = this.#last.then(() => this.#run(script));
    this.#last = running.catch(() => {});
    return running;
  }

  async #run(script: string): Promise<string> {
    const end = crypto.randomUUID();
    const line = `{\n${script}\n} </dev/null 2>&1; echo "${end} $?"\n`;
    await this.#input.write(new TextEncoder().encode(line));
    for (;;) {
      const found = new RegExp(`${end} (\\d+)\n`).exec(this.#unread);
      if (found !== null) {
        const printed = this.#unread.slice(0, found.index);
        this.#unread = this.#unread.slice(found.index + found[0].length);
        if (found[1] !== "0") throw new Error(`${script}: ${printed}`);
        return printed;
      }
      const { done, value } = await this.#output.read();
      if (done) throw new Error(`the namespace is gone: ${script}: ${this.#unread}`);
      this.#unread += value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last;
    // It may have ended by itself.
    await this.#input.close().catch(() => {});
    await this.#child.status;
    await this.#output.cancel();
  }
}

type TextTransform = ReadableWritablePair<string, Uint8Array>;

/** Why no namespace can be made here; `undefined` where one can. */
export const whyNoNamespaces: string | undefined = await findReason();

async function findReason(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "network namespaces are Linux's";
  if (Deno.uid() !== 0) return "only root makes network namespaces";
  for (const program of NEEDED) {
    if (!await isOnPath(program)) return `there is no ${program}`;
  }
  try {
    await using _namespace = await Namespace.make("probe.test");
    return undefined;
  } catch (error) {
    return `a network namespace cannot be made: ${error}`;
  }
}

async function isOnPath(program: string): Promise<boolean> {
  for (const directory of (Deno.env.get("PATH") ?? "").split(":")) {
    const found = await Deno.stat(`${directory}/${program}`).catch(() => undefined);
    if (found?.isFile) return true;
  }
  return false;
}
