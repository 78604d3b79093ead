/**
 * A gateway as it is reached through `join`.
 *
 * @module
 */
import { gatewayAt } from "../../src/join/gateway.mjs";
import { startJoin } from "../../src/join/server.mjs";
import { GatewayClient } from "./gateway.ts";

/** What a test may want otherwise. */
export interface JoinOptions {
  /** The file of the CA that is trusted. */
  ca?: string;
  /** How long register calls wait for the gateway. */
  holdMs?: { noiseMs: number; otherMs: number };
}

/** `join` in this process. Disposing stops it. */
export class Joined extends GatewayClient implements AsyncDisposable {
  readonly port: number;
  /** What it has said, a line each. */
  readonly said: readonly string[];
  readonly #stop: () => Promise<void>;

  private constructor(port: number, said: readonly string[], stop: () => Promise<void>) {
    super();
    this.port = port;
    this.said = said;
    this.#stop = stop;
  }

  /** @param url the gateway's */
  static async to(url: string, { ca, holdMs }: JoinOptions = {}): Promise<Joined> {
    const said: string[] = [];
    const say = (line: string) => void said.push(line);
    const { port, stop } = await startJoin(gatewayAt(url, ca), { port: 0, say, holdMs });
    return new Joined(port, said, stop);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stop();
  }
}
