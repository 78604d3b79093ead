/**
 * nginx before a gateway, configured as the README has it.
 *
 * @module
 */
import { freePort } from "../../support/free_port.ts";
import { GatewayClient } from "../../support/gateway.ts";
import { until } from "../../support/websocket.ts";

const README = new URL("../../../README.md", import.meta.url);

/** Whether this machine has nginx. */
export const hasNginx = await isThere("nginx");

/** Calls a gateway through nginx. Disposing ends nginx. */
export class NginxFront extends GatewayClient implements AsyncDisposable {
  readonly port: number;
  readonly #child: Deno.ChildProcess;
  readonly #dir: string;

  private constructor(port: number, child: Deno.ChildProcess, dir: string) {
    super();
    this.port = port;
    this.#child = child;
    this.#dir = dir;
  }

  /** Starts nginx before the gateway on a port, with the README's configuration. */
  static async start(gatewayPort: number): Promise<NginxFront> {
    const port = freePort();
    const dir = await Deno.makeTempDir({ prefix: "cxg-nginx-" });
    await Deno.writeTextFile(`${dir}/nginx.conf`, await configuration(dir, port, gatewayPort));
    const child = new Deno.Command("nginx", {
      args: ["-p", dir, "-c", `${dir}/nginx.conf`, "-e", `${dir}/error.log`],
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
    }).spawn();
    const front = new NginxFront(port, child, dir);
    await until("nginx passes requests on", async () => {
      try {
        const answer = await fetch(`${front.url}/healthz`);
        return await answer.text() === "ok";
      } catch {
        return false;
      }
    });
    return front;
  }

  /** Everything that it has logged so far, in each of its files. */
  async logs(): Promise<Record<"access" | "server_error" | "error", string>> {
    const [access, server_error, error] = await Promise.all(
      ["access", "server_error", "error"].map((name) =>
        Deno.readTextFile(`${this.#dir}/${name}.log`)
      ),
    );
    return { access: access!, server_error: server_error!, error: error! };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
    await Deno.remove(this.#dir, { recursive: true });
  }
}

/** The README's, with what it needs around it, and without TLS, for which there is no certificate. */
async function configuration(dir: string, port: number, gatewayPort: number): Promise<string> {
  const block = /```nginx\n(.*?)```/s.exec(await Deno.readTextFile(README))![1]!;
  const replacements: [RegExp, string][] = [
    [/^ *listen 443 ssl;$/m, `listen 127.0.0.1:${port};`],
    [/^ *ssl_certificate .*$/m, ""],
    [/^ *ssl_certificate_key .*$/m, ""],
    [/127\.0\.0\.1:6060/, `127.0.0.1:${gatewayPort}`],
    [/\/var\/log\/nginx\/codex-exec-gateway\.log/, `${dir}/access.log`],
    [/\/var\/log\/nginx\/codex-exec-gateway\.error\.log/, `${dir}/server_error.log`],
  ];
  const conf = replacements.reduce((text, [from, to]) => {
    if (!from.test(text)) throw new Error(`the README's configuration has no ${from}`);
    return text.replace(from, to);
  }, block);
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${dir}/${name};`);
  // Started by root, the workers must be able to write where root's test does.
  const user = Deno.uid() === 0 ? "user root;" : "";
  return `${user} daemon off; worker_processes 1; pid ${dir}/nginx.pid;
    events { worker_connections 4096; }
    http { ${temporary.join(" ")} ${conf} }`;
}

async function isThere(program: string): Promise<boolean> {
  try {
    return (await new Deno.Command(program, { args: ["-v"], stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
