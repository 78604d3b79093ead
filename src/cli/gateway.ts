/**
 * The running gateway, as the command line reaches it: its URL and secrets come from the flags, the
 * environment, or the data directory where the gateway left them.
 *
 * @module
 */
import { DataDirectoryError } from "../store/database.ts";
import { DEFAULT_DATA_DIR } from "../config.ts";
import { readGatewayFile } from "../gateway_file.ts";
import { CA_FILE } from "../tls/self_signed.ts";
import { readSecrets, type Secrets } from "../secrets.ts";
import { CommandError } from "./output.ts";

/** A client of the gateway's internal API. */
export class Gateway {
  /** Its http:// or https:// base URL, as this machine reaches it. */
  readonly url: string;
  /** The http:// or https:// base that executors and harnesses use. */
  readonly publicUrl: string;
  /** The authority that signed its certificate, PEM, where it is not one that everybody knows. */
  readonly ca: string | undefined;
  readonly #caFile: string | undefined;
  readonly #dataDir: string;

  /**
   * @param flags `--url` and `--ca`
   * @throws {CommandError} when they are of no use
   */
  constructor({ url, caFile }: { url?: string; caFile?: string }) {
    this.#dataDir = Deno.env.get("CXG_DATA_DIR") || DEFAULT_DATA_DIR;
    // With a database server the secrets are in the environment, and so is where it listens.
    const left = Deno.env.get("CXG_DATABASE_URL")
      ? undefined
      : ofDataDirectory(() => readGatewayFile(this.#dataDir));
    this.url = (url ?? left?.url ?? urlFromEnv()).replace(/\/+$/, "");
    if (!/^https?:\/\/./.test(this.url) || !URL.canParse(this.url)) {
      throw new CommandError(`--url must be an http:// or https:// URL, not ${this.url}`);
    }
    const publicWs = Deno.env.get("CXG_PUBLIC_WS_BASE_URL") || left?.public_ws_base_url;
    this.publicUrl = publicWs?.replace(/^ws/, "http").replace(/\/+$/, "") ?? this.url;
    const isSecure = this.url.startsWith("https:") || this.publicUrl.startsWith("https:");
    this.#caFile = caFile ?? (isSecure ? left?.ca_file ?? caFileFromEnv(this.#dataDir) : undefined);
    this.ca = this.#caFile === undefined ? undefined : readCa(this.#caFile);
  }

  /** The secret that capability tokens are signed with. */
  get capTokenSecret(): Uint8Array<ArrayBuffer> {
    return new TextEncoder().encode(
      this.#secret("CXG_CAPTOKEN_HMAC_SECRET", "captoken_hmac_secret"),
    );
  }

  /**
   * Calls the internal API.
   *
   * @param more headers besides the secret, in UTF-8
   * @returns the JSON answer, `undefined` for 204
   * @throws {CommandError} when the gateway does not answer, or refuses
   */
  async call(
    method: string,
    path: string,
    body?: unknown,
    more: Readonly<Record<string, string>> = {},
  ): Promise<unknown> {
    const headers: Record<string, string> = { "x-internal-secret": this.#apiSecret(path) };
    for (const [name, value] of Object.entries(more)) {
      // A header is bytes, of which `fetch` takes one for each character.
      headers[name] = String.fromCharCode(...new TextEncoder().encode(value));
    }
    let response: Response;
    try {
      response = await fetch(this.url + path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        client: this.#client(),
        signal: AbortSignal.timeout(30_000),
      });
    } catch (error) {
      throw new CommandError(await this.#whyNot(error));
    }
    const text = await response.text();
    if (!response.ok) {
      throw new CommandError(`the gateway refused (${response.status}): ${refusal(text)}`);
    }
    return text === "" ? undefined : JSON.parse(text);
  }

  /**
   * What the gateway says against a capability token, if it answers and does.
   *
   * @param workspace the token's
   */
  async refusalOf(token: string, workspace: string): Promise<string | undefined> {
    const path = `/api/exec-gateway/connected?workspace_id=${encodeURIComponent(workspace)}`;
    try {
      const response = await fetch(this.url + path, {
        headers: { authorization: `Bearer ${token}` },
        client: this.#client(),
        signal: AbortSignal.timeout(10_000),
      });
      const text = await response.text();
      return response.status === 401 ? refusal(text) : undefined;
    } catch {
      // That it does not answer was said.
      return undefined;
    }
  }

  #client(): Deno.HttpClient | undefined {
    return this.ca === undefined ? undefined : Deno.createHttpClient({ caCerts: [this.ca] });
  }

  /** Why a call did not reach the gateway; what is wrong with a certificate is looked at closely. */
  async #whyNot(error: unknown): Promise<string> {
    const reason = innermostMessage(error);
    if (/certificate|tls/i.test(reason)) {
      const { gatewayAt } = await import("../join/gateway.mjs");
      const { probe } = await import("../join/call.mjs");
      try {
        await probe(gatewayAt(this.url, this.#caFile));
      } catch (problem) {
        return problem instanceof Error ? problem.message : String(problem);
      }
    }
    return `the gateway at ${this.url} does not answer (is it running?): ${reason}`;
  }

  #apiSecret(path: string): string {
    const shared = path.startsWith("/api/exec-gateway/") &&
      Deno.env.get("CXG_INTERNAL_SHARED_SECRET");
    return shared || this.#secret("CXG_AGENTSERVER_INTERNAL_SECRET", "agentserver_internal_secret");
  }

  #secret(variable: string, field: keyof Secrets): string {
    const given = Deno.env.get(variable);
    if (given) return given;
    const kept = ofDataDirectory(() => readSecrets(this.#dataDir));
    if (kept === undefined) {
      throw new CommandError(
        `${variable} is not set, and no gateway has left its secrets in ${this.#dataDir}: ` +
          "run this where the gateway was started, or set CXG_DATA_DIR",
      );
    }
    return kept[field];
  }
}

/** @throws {CommandError} when the data directory is not as it should be */
function ofDataDirectory<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof DataDirectoryError) throw new CommandError(error.message);
    throw error;
  }
}

/** What `fetch` failed of: it says only that it did. */
function innermostMessage(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? innermostMessage(error.cause) : error.message;
}

/** Where a gateway that keeps its data on a database server leaves the CA that it made. */
function caFileFromEnv(dataDir: string): string | undefined {
  return Deno.env.get("CXG_TLS") === "self-signed" ? `${dataDir}/${CA_FILE}` : undefined;
}

function readCa(file: string): string {
  let text: string;
  try {
    text = Deno.readTextFileSync(file);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(`cannot read the CA file ${file}: ${reason}`);
  }
  if (!text.includes("-----BEGIN CERTIFICATE-----")) {
    throw new CommandError(`the CA file ${file} holds no certificate (PEM)`);
  }
  return text;
}

function urlFromEnv(): string {
  const host = Deno.env.get("CXG_HOST") || "127.0.0.1";
  const hasTls = Deno.env.get("CXG_TLS") || Deno.env.get("CXG_TLS_CERT");
  return httpUrl(host, Number(Deno.env.get("CXG_PORT") || 6060), hasTls ? "https" : "http");
}

/** The host under which this machine reaches a listener: one on every address is reached on loopback. */
export function reachableHost(host: string): string {
  return host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
}

/** The URL under which this machine reaches a listener. */
export function httpUrl(host: string, port: number, scheme: "http" | "https" = "http"): string {
  const reachable = reachableHost(host);
  return `${scheme}://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`;
}

function refusal(text: string): string {
  try {
    const { error } = JSON.parse(text);
    return typeof error === "string" ? error : error.message;
  } catch {
    return text.slice(0, 200);
  }
}
