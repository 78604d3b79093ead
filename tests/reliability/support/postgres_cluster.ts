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

/** What a server has beyond the usual. */
export interface ClusterSettings {
  /** Files in PEM: what it shows, and the authority of its clients' certificates. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa: string };
  /** Lines of `pg_hba.conf`, before those that let everybody of this machine in. */
  readonly hba?: string;
}

/** A running server. Disposing stops it and removes its files. */
export class PostgresCluster implements AsyncDisposable {
  readonly port: number;
  readonly #directory: string;

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.port = port;
  }

  /** Makes one in a directory of its own and starts it. */
  static async create({ tls, hba }: ClusterSettings = {}): Promise<PostgresCluster> {
    const { uid, gid } = installed!;
    const directory = await Deno.makeTempDir({ prefix: "cxg-postgres-" });
    await Deno.chown(directory, uid, gid);
    const cluster = new PostgresCluster(directory, freePort());
    try {
      await cluster.#run("initdb", ["-D", directory, "-U", "postgres", "-A", "trust", "--no-sync"]);
      await Deno.writeTextFile(
        `${directory}/postgresql.conf`,
        `listen_addresses = '127.0.0.1'\nport = ${cluster.port}\nunix_socket_directories = '${directory}'\n`,
      );
      if (hba !== undefined) {
        const file = `${directory}/pg_hba.conf`;
        await Deno.writeTextFile(file, `${hba}\n${await Deno.readTextFile(file)}`);
      }
      if (tls !== undefined) await cluster.#useTls(tls);
      await cluster.start();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Makes a standby of this server, which follows it, and starts it. */
  async createStandby(): Promise<PostgresCluster> {
    const { uid, gid } = installed!;
    const directory = await Deno.makeTempDir({ prefix: "cxg-postgres-" });
    await Deno.chown(directory, uid, gid);
    const standby = new PostgresCluster(directory, freePort());
    try {
      const source = `host=127.0.0.1 port=${this.port} user=postgres`;
      await standby.#run("pg_basebackup", ["-R", "-D", directory, "-c", "fast", "-d", source]);
      // It has come with the rest.
      const file = `${directory}/postgresql.conf`;
      const settings = (await Deno.readTextFile(file))
        .replace(/^port = .*$/m, `port = ${standby.port}`)
        .replace(/^unix_socket_directories = .*$/m, `unix_socket_directories = '${directory}'`);
      await Deno.writeTextFile(file, settings);
      await standby.start();
      return standby;
    } catch (error) {
      await standby[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Makes a standby a server of its own; resolves when it takes writes. */
  async promote(): Promise<void> {
    await this.#run("pg_ctl", ["-D", this.#directory, "-w", "promote"]);
  }

  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`;
  }

  /** The same by its unix socket. */
  get socketUrl(): string {
    const host = encodeURIComponent(this.#directory);
    return `postgres://postgres@/postgres?host=${host}&port=${this.port}`;
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

  async #useTls(files: NonNullable<ClusterSettings["tls"]>): Promise<void> {
    const { uid, gid } = installed!;
    const names = { cert: "server.crt", key: "server.key", clientCa: "root.crt" } as const;
    for (const [kind, name] of Object.entries(names)) {
      const file = `${this.#directory}/${name}`;
      await Deno.copyFile(files[kind as keyof typeof names], file);
      await Deno.chmod(file, 0o600);
      await Deno.chown(file, uid, gid);
    }
    await Deno.writeTextFile(
      `${this.#directory}/postgresql.conf`,
      "ssl = on\nssl_ca_file = 'root.crt'\n",
      { append: true },
    );
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

  async #run(program: "initdb" | "pg_basebackup" | "pg_ctl", args: string[]): Promise<void> {
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
