/**
 * A PostgreSQL server of a test's own, to be stopped, frozen and started again.
 *
 * @module
 */

import { freePort } from "../../support/free_port.ts";

/** The newest server programs of Debian's packages, and the user that may run them. */
const installed = findInstalled();

/** Whether this machine can run one: the programs are there, and we may become their user. */
export const clusterAvailable: boolean = installed !== undefined;

/** How the server is stopped: told to shut down, or as after a crash. */
export type StopMode = "fast" | "immediate";

/** A running server. Disposing stops it and removes its files. */
export class PostgresCluster implements AsyncDisposable {
  readonly port: number;
  readonly #directory: string;

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.port = port;
  }

  /** Makes one in a directory of its own and starts it. */
  static async create(): Promise<PostgresCluster> {
    const { uid, gid } = installed!;
    const directory = await Deno.makeTempDir({ prefix: "cxg-postgres-" });
    await Deno.chown(directory, uid, gid);
    const cluster = new PostgresCluster(directory, freePort());
    try {
      await cluster.#run("initdb", ["-D", directory, "-U", "postgres", "-A", "trust", "--no-sync"]);
      await Deno.writeTextFile(
        `${directory}/postgresql.conf`,
        `listen_addresses = '127.0.0.1'\nport = ${cluster.port}\nunix_socket_directories = ''\n`,
      );
      await cluster.start();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`;
  }

  /** Starts the server; resolves when it takes connections. */
  async start(): Promise<void> {
    await this.#run("pg_ctl", ["-D", this.#directory, "-l", this.#log, "-w", "start"]);
  }

  /** Stops the server; resolves when it is gone. */
  async stop(mode: StopMode): Promise<void> {
    await this.#run("pg_ctl", ["-D", this.#directory, "-m", mode, "-w", "stop"]);
  }

  /** Freezes the server and each of its processes: connections are still taken, by the kernel. */
  async freeze(): Promise<void> {
    const postmaster = await this.#postmaster();
    // First, so that it starts no others.
    Deno.kill(postmaster, "SIGSTOP");
    for (const pid of await childrenOf(postmaster)) signal(pid, "SIGSTOP");
  }

  /** Lets it go on. */
  async thaw(): Promise<void> {
    const postmaster = await this.#postmaster();
    for (const pid of await childrenOf(postmaster)) signal(pid, "SIGCONT");
    Deno.kill(postmaster, "SIGCONT");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (await this.#isRunning()) {
      await this.thaw();
      await this.stop("immediate");
    }
    await Deno.remove(this.#directory, { recursive: true });
  }

  get #log(): string {
    return `${this.#directory}/server.log`;
  }

  async #postmaster(): Promise<number> {
    return parseInt(await Deno.readTextFile(`${this.#directory}/postmaster.pid`));
  }

  async #isRunning(): Promise<boolean> {
    const { uid, gid, bin } = installed!;
    const args = ["-D", this.#directory, "status"];
    const { success } = await new Deno.Command(`${bin}/pg_ctl`, { args, uid, gid, cwd: "/" })
      .output();
    return success;
  }

  async #run(program: "initdb" | "pg_ctl", args: string[]): Promise<void> {
    const { uid, gid, bin } = installed!;
    // Not piped: the server would hold the pipe open for as long as it runs.
    const { success, code } = await new Deno.Command(`${bin}/${program}`, {
      args,
      uid,
      gid,
      cwd: "/",
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    if (success) return;
    const log = await Deno.readTextFile(this.#log).catch(() => "");
    throw new Error(`${program} ${args.at(-1)} ended with ${code}\n${log}`);
  }
}

function findInstalled(): { bin: string; uid: number; gid: number } | undefined {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return undefined;
  const user = /^postgres:[^:]*:(\d+):(\d+):/m.exec(Deno.readTextFileSync("/etc/passwd"));
  if (user === null) return undefined;
  try {
    const versions = [...Deno.readDirSync("/usr/lib/postgresql")].map(({ name }) => name);
    const newest = versions.sort((a, b) => Number(b) - Number(a))[0];
    const bin = `/usr/lib/postgresql/${newest}/bin`;
    Deno.statSync(`${bin}/initdb`);
    return { bin, uid: Number(user[1]), gid: Number(user[2]) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function childrenOf(parent: number): Promise<number[]> {
  const children = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => "");
    // After the name, in which anything may stand: the state, and the parent.
    const ppid = Number(stat.slice(stat.lastIndexOf(")")).split(" ")[2]);
    if (ppid === parent) children.push(Number(name));
  }
  return children;
}

function signal(pid: number, name: "SIGSTOP" | "SIGCONT"): void {
  try {
    Deno.kill(pid, name);
  } catch (error) {
    // It has ended meanwhile.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
