/**
 * Which CA this process's clients trust for which gateway: that of a gateway with TLS is its own, and no
 * store of the system has it.
 *
 * @module
 */
import { type ClientRequest, request as requestHttp, type RequestOptions } from "node:http";
import { request as requestHttps } from "node:https";

/** What a client needs to reach a gateway with TLS. */
export interface Trusted {
  readonly client: Deno.HttpClient;
  /** The CA's certificate, PEM. */
  readonly ca: string;
}

const byPort = new Map<number, Trusted>();

/** Trusts a CA for what listens on some ports of this machine, until it is disposed. */
export class Trust implements Disposable {
  readonly #ports: readonly number[];
  readonly #trusted: Trusted;

  /** @param ca PEM */
  constructor(ports: readonly number[], ca: string) {
    this.#ports = ports;
    this.#trusted = { ca, client: Deno.createHttpClient({ caCerts: [ca] }) };
    // Of two that share a port the later one.
    for (const port of ports) byPort.set(port, this.#trusted);
  }

  [Symbol.dispose](): void {
    this.#trusted.client.close();
    for (const port of this.#ports) {
      if (byPort.get(port) === this.#trusted) byPort.delete(port);
    }
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

/** `request` of `node:http` or `node:https`, with the gateway's CA, on a connection of its own. */
export function requestTo(url: string, options: RequestOptions = {}): ClientRequest {
  const request = url.startsWith("https:") ? requestHttps : requestHttp;
  return request(url, { ...options, agent: false, ca: trustedFor(url).ca } as RequestOptions);
}
