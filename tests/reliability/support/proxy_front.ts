/**
 * A proxy before a gateway, configured as `deploy/` has it.
 *
 * @module
 */
import { exchange, fromLatin1 } from "../../fuzz/raw_http.ts";
import { GatewayClient } from "../../support/gateway.ts";
import { until } from "../../support/websocket.ts";

/** A kind of proxy. */
export interface Proxy {
  readonly name: string;
  /** Its configuration, in `deploy/`. */
  readonly file: string;
  /** Whether this machine has it. */
  readonly isThere: boolean;
  /** What it answers while the gateway is away. */
  readonly awayStatus: number;
  /** How long it waits for a websocket that is quiet, as the configuration says. */
  readonly idle: readonly RegExp[];
  start(gatewayPort: number): Promise<Started>;
}

/** One that runs. */
export interface Started {
  readonly port: number;
  /** Everything that it has logged so far, by the name of the file. */
  logs(): Promise<Readonly<Record<string, string>>>;
  stop(): Promise<void>;
}

/** The executors and harnesses of a gateway come through a proxy; the API is called directly. */
export class ProxyFront extends GatewayClient implements AsyncDisposable {
  readonly #gateway: GatewayClient;
  readonly #started: Started;

  private constructor(gateway: GatewayClient, started: Started) {
    super();
    this.#gateway = gateway;
    this.#started = started;
  }

  /** Starts a proxy before a gateway. */
  static async start(proxy: Proxy, gateway: GatewayClient): Promise<ProxyFront> {
    const front = new ProxyFront(gateway, await proxy.start(gateway.port));
    await until(`${proxy.name} passes requests on`, async () => {
      // On a connection that does not stay: those are limited.
      const request = "GET /cloud/executor/exe_none/register HTTP/1.1\r\nHost: x\r\n" +
        "Connection: close\r\n\r\n";
      const answer = await exchange(front.port, fromLatin1(request)).catch(() => undefined);
      return answer?.status === 405;
    });
    return front;
  }

  get port(): number {
    return this.#started.port;
  }

  override get internalUrl(): string {
    return this.#gateway.url;
  }

  /** Everything that the proxy has logged so far, by the name of the file. */
  logs(): Promise<Readonly<Record<string, string>>> {
    return this.#started.logs();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#started.stop();
  }
}

/** A file of `deploy/` with these parts put in the place of those that no test can have. */
export async function configuration(
  file: string,
  replacements: readonly (readonly [from: RegExp, to: string])[],
): Promise<string> {
  const text = await Deno.readTextFile(new URL(`../../../deploy/${file}`, import.meta.url));
  return replacements.reduce((text, [from, to]) => {
    if (!from.test(text)) throw new Error(`${file} has no ${from}`);
    return text.replace(from, to);
  }, text);
}

/** Whether a program is there, and runs. */
export async function isThere(program: string): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(program, {
      args: ["-v"],
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
