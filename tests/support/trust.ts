/**
 * Which CA this process's clients trust for which gateway: that of a gateway with TLS is its own, and no
 * store of the system has it.
 *
 * @module
 */

/** What a client needs to reach a gateway with TLS. */
export interface Trusted {
  readonly client: Deno.HttpClient;
  /** The CA's certificate, PEM. */
  readonly ca: string;
}

const byPort = new Map<number, Trusted>();

/** Trusts a CA for what listens on a port of this machine, until it is disposed. */
export class Trust implements Disposable {
  readonly #port: number;

  /** @param ca PEM */
  constructor(port: number, ca: string) {
    this.#port = port;
    byPort.set(port, { ca, client: Deno.createHttpClient({ caCerts: [ca] }) });
  }

  [Symbol.dispose](): void {
    byPort.get(this.#port)?.client.close();
    byPort.delete(this.#port);
  }
}

/** What is trusted for a URL; nothing, for one of a gateway without TLS. */
export function trustedFor(url: string): Partial<Trusted> {
  return byPort.get(Number(new URL(url).port)) ?? {};
}

/** `fetch`, with the gateway's CA. */
export function fetchFrom(url: string, init: RequestInit = {}): Promise<Response> {
  return fetch(url, { ...init, client: trustedFor(url).client });
}
