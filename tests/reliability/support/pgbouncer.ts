/**
 * Debian's pgbouncer before a PostgreSQL server, in transaction mode, else as the package has it.
 *
 * @module
 */
import { freePort } from "../../support/free_port.ts";
import { until } from "../../support/websocket.ts";

/** Its configuration as the package brings it. */
const PACKAGE_CONFIGURATION = "/etc/pgbouncer/pgbouncer.ini";

/** The user that may run it, since root may not. */
const user = findUser();

/** Whether this machine has it, and we may become its user. */
export const pgbouncerAvailable: boolean = user !== undefined;

/** A running pgbouncer. Disposing ends it. */
export class Pgbouncer implements AsyncDisposable {
  readonly port: number;
  readonly #child: Deno.ChildProcess;
  readonly #directory: string;

  private constructor(port: number, child: Deno.ChildProcess, directory: string) {
    this.port = port;
    this.#child = child;
    this.#directory = directory;
  }

  /** Starts one before the server on a port of this machine, whose roles need no password. */
  static async before(serverPort: number): Promise<Pgbouncer> {
    const port = freePort();
    const directory = await Deno.makeTempDir({ prefix: "cxg-pgbouncer-" });
    await Deno.writeTextFile(`${directory}/users.txt`, '"postgres" ""\n');
    const text = await Deno.readTextFile(PACKAGE_CONFIGURATION);
    await Deno.writeTextFile(
      `${directory}/pgbouncer.ini`,
      withSettings(text, `* = host=127.0.0.1 port=${serverPort}`, {
        pool_mode: "transaction",
        listen_port: String(port),
        auth_type: "trust",
        auth_file: `${directory}/users.txt`,
        logfile: `${directory}/pgbouncer.log`,
        pidfile: `${directory}/pgbouncer.pid`,
        unix_socket_dir: "",
      }),
    );
    await Deno.chown(directory, user!.uid, user!.gid);
    const child = new Deno.Command("pgbouncer", {
      args: ["--quiet", `${directory}/pgbouncer.ini`],
      ...user,
      cwd: "/",
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const pgbouncer = new Pgbouncer(port, child, directory);
    await until("pgbouncer listens", async () => {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port })).close();
        return true;
      } catch {
        return false;
      }
    });
    return pgbouncer;
  }

  /** The URL of a database behind it. */
  url(database: string): string {
    return `postgres://postgres@127.0.0.1:${this.port}/${database}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/** The configuration with a line for the databases, and each setting in the place of its own line. */
function withSettings(
  text: string,
  databases: string,
  settings: Readonly<Record<string, string>>,
): string {
  const lines = text.split("\n");
  const header = lines.indexOf("[databases]");
  if (header === -1) throw new Error(`${PACKAGE_CONFIGURATION} has no [databases]`);
  lines.splice(header + 1, 0, databases);
  for (const [name, value] of Object.entries(settings)) {
    // What the package leaves at its default stands there as a comment.
    const index = lines.findIndex((line) => new RegExp(`^;?${name} *=`).test(line));
    if (index === -1) throw new Error(`${PACKAGE_CONFIGURATION} has no ${name}`);
    lines[index] = `${name} = ${value}`;
  }
  return lines.join("\n");
}

function findUser(): { uid: number; gid: number } | undefined {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return undefined;
  try {
    Deno.statSync("/usr/sbin/pgbouncer");
    Deno.statSync(PACKAGE_CONFIGURATION);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  const entry = /^postgres:[^:]*:(\d+):(\d+):/m.exec(Deno.readTextFileSync("/etc/passwd"));
  return entry === null ? undefined : { uid: Number(entry[1]), gid: Number(entry[2]) };
}
