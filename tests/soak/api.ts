import { SECRETS } from "../support/gateway.ts";
import type { GatewayProcess } from "../support/gateway_process.ts";
import type { World } from "./world.ts";

/** What a call was answered with. */
export interface Answer {
  readonly status: number;
  /** The body, parsed where it is JSON; "" where there is none. */
  readonly body: unknown;
}

/** A call: its route as the gateway counts refusals by, its path, and what goes with it. */
export interface Call {
  readonly method: "GET" | "POST" | "DELETE";
  readonly route: string;
  readonly path?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  /** Instead of the internal secret. */
  readonly bearer?: string;
}

/** The calls of HTTP clients: every refusal is written down, and a 500 is a breach. */
export class Api implements Disposable {
  #client = newClient();

  /** Asks, and takes any answer. */
  async ask(
    { gateway, ledger, breaches }: World,
    { method, route, path = route, body, headers, bearer }: Call,
  ): Promise<Answer> {
    const response = await fetch(gateway.url + path, {
      method,
      client: this.#client,
      headers: {
        ...bearer === undefined ? secretOf(path) : { authorization: `Bearer ${bearer}` },
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (response.status >= 400) ledger.noteRefusal(route, response.status);
    if (response.status >= 500 && response.status !== 503) {
      breaches.note(`${method} ${route} was answered ${response.status}: ${text}`);
    }
    const json = response.headers.get("content-type")?.startsWith("application/json");
    return { status: response.status, body: json ? JSON.parse(text) : text };
  }

  /** Asks; any status but this one is a breach. */
  async expect(world: World, status: number, call: Call): Promise<Answer> {
    const answer = await this.ask(world, call);
    world.breaches.unless(
      answer.status === status,
      () =>
        `${call.method} ${call.route} was answered ${answer.status}, not ${status}: ` +
        JSON.stringify(answer.body),
    );
    return answer;
  }

  /** Asks for the cheapest answer there is. */
  async ping({ url }: GatewayProcess): Promise<void> {
    await (await fetch(`${url}/healthz`, { client: this.#client })).body?.cancel();
  }

  /** The counters of `/metrics`, by name and labels. */
  async scrape(world: World): Promise<Map<string, number>> {
    const { body } = await this.expect(world, 200, {
      method: "GET",
      route: "/metrics",
      bearer: SECRETS.shared,
    });
    return new Map(
      String(body).split("\n").filter((line) => line !== "" && !line.startsWith("#")).map(
        (line) => {
          const at = line.lastIndexOf(" ");
          return [line.slice(0, at), Number(line.slice(at + 1))];
        },
      ),
    );
  }

  /** Closes the connections that were kept alive: they are open files of the gateway's. */
  hangUp(): void {
    this.#client.close();
    this.#client = newClient();
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

function newClient(): Deno.HttpClient {
  return Deno.createHttpClient({ poolMaxIdlePerHost: 16 });
}

function secretOf(path: string): Record<string, string> {
  const shared = path.startsWith("/api/exec-gateway/");
  return { "x-internal-secret": shared ? SECRETS.shared : SECRETS.internal };
}

/** A capability token of the gateway's, for a turn. */
export function capToken(gateway: GatewayProcess, exeId: string, turnId: string): Promise<string> {
  return gateway.capToken(exeId, { turn_id: turnId, workspace_id: WORKSPACE });
}

/** The workspace that every executor of the soak is bound to. */
export const WORKSPACE = "ws_soak";
