/**
 * The running gateway, as the command line reaches it: its URL and secrets come from the flags, the
 * environment, or the data directory where the gateway left them.
 *
 * @module
 */
import { DataDirectoryError } from "../store/database.ts";
import { DEFAULT_INTERNAL_HOST } from "../config.ts";
import { type GatewayFile, readGatewayFile } from "../data_dir/gateway_file.ts";
import { hostOf } from "../tls/host_names.ts";
import { CA_FILE } from "../tls/self_signed.ts";
import { readSecrets, type Secrets } from "../data_dir/secrets.ts";
import { DEFAULT_DATA_DIR, variable } from "../env/variables.ts";
import { CommandError } from "./output.ts";

/** What the gateway says of a path that it does not serve. */
const NO_SUCH_PATH = "there is nothing at this path";

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** A client of the gateway's internal API. */
export class Gateway {
  /** The http:// or https:// base URL of its API, as this machine reaches it. */
  readonly url: string;
  /** The http:// or https:// base that executors and harnesses use. */
  readonly publicUrl: string;
  /** The authority that signed its certificate, PEM, where it is not one that everybody knows. */
  readonly ca: string | undefined;
  /** What to dial for it, where its host is only what its certificate is for. */
  readonly #host: string | undefined;
  readonly #caFile: string | undefined;
  readonly #dataDir: string;

  /**
   * @param flags `--url` and `--ca`
   * @throws {CommandError} when they are of no use
   */
  constructor({ url, caFile }: { url?: string; caFile?: string }) {
    this.#dataDir = variable("CXG_DATA_DIR") || DEFAULT_DATA_DIR;
    // With a database server the secrets are in the environment, and so is where it listens.
    const left = variable("CXG_DATABASE_URL")
      ? undefined
      : ofDataDirectory(() => readGatewayFile(this.#dataDir));
    const here = left === undefined ? placeFromEnv() : placeOf(left);
    // Named on the command line, it may be the one of here all the same.
    const place = url === undefined || url === here.url ? here : { url, publicUrl: url };
    this.url = place.url.replace(/\/+$/, "");
    this.#host = place.host;
    if (!/^https?:\/\/./.test(this.url) || !URL.canParse(this.url)) {
      throw new CommandError(`--url must be an http:// or https:// URL, not ${this.url}`);
    }
    const publicWs = variable("CXG_PUBLIC_WS_BASE_URL") || left?.public_ws_base_url;
    this.publicUrl = (publicWs?.replace(/^ws/, "http") ?? place.publicUrl).replace(/\/+$/, "");
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
    let answer: Answer;
    try {
      answer = await this.#send(method, path, headers, body, 30_000);
    } catch (error) {
      throw new CommandError(await this.#whyNot(error));
    }
    const { status, text } = answer;
    if (status >= 300) {
      const why = refusal(text);
      const hint = status === 404 && why === NO_SUCH_PATH
        ? "; is its API on another port (CXG_INTERNAL_PORT)? Name that by --url"
        : "";
      throw new CommandError(`the gateway refused (${status}): ${why}${hint}`);
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
      const headers = { authorization: `Bearer ${token}` };
      const { status, text } = await this.#send("GET", path, headers, undefined, 10_000);
      return status === 401 ? refusal(text) : undefined;
    } catch {
      // That it does not answer was said.
      return undefined;
    }
  }

  /** @param headers of characters up to 0xff, each a byte */
  async #send(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>>,
    body: unknown,
    timeoutMs: number,
  ): Promise<Answer> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const signal = AbortSignal.timeout(timeoutMs);
    if (this.#host === undefined) {
      const client = this.ca === undefined
        ? undefined
        : Deno.createHttpClient({ caCerts: [this.ca] });
      const response = await fetch(this.url + path, {
        method,
        headers,
        body: text,
        client,
        signal,
      });
      return { status: response.status, text: await response.text() };
    }
    // `fetch` dials no other host than the one whose certificate it wants.
    const { callGateway } = await import("../join/call.mjs");
    const { Buffer } = await import("node:buffer");
    const answer = await callGateway(await this.#toDial(), {
      method,
      path,
      headers: Object.entries(headers),
      body: Buffer.from(text ?? ""),
    }, signal);
    return { status: answer.status, text: answer.body.toString() };
  }

  async #toDial() {
    const { gatewayAt } = await import("../join/gateway.mjs");
    const gateway = gatewayAt(this.url, this.#caFile);
    return this.#host === undefined ? gateway : { ...gateway, dialHost: this.#host };
  }

  /** Why a call did not reach the gateway; what is wrong with a certificate is looked at closely. */
  async #whyNot(error: unknown): Promise<string> {
    const reason = innermostMessage(error);
    if (/certificate|tls/i.test(reason)) {
      const { probe } = await import("../join/call.mjs");
      try {
        await probe(await this.#toDial());
      } catch (problem) {
        return problem instanceof Error ? problem.message : String(problem);
      }
    }
    return `the gateway at ${this.url} does not answer (is it running?): ${reason}`;
  }

  #apiSecret(path: string): string {
    const shared = path.startsWith("/api/exec-gateway/") &&
      variable("CXG_INTERNAL_SHARED_SECRET");
    return shared || this.#secret("CXG_AGENTSERVER_INTERNAL_SECRET", "agentserver_internal_secret");
  }

  #secret(name: string, field: keyof Secrets): string {
    const given = variable(name);
    if (given) return given;
    const kept = ofDataDirectory(() => readSecrets(this.#dataDir));
    if (kept === undefined) {
      throw new CommandError(
        `${name} is not set, and no gateway has left its secrets in ${this.#dataDir}: ` +
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
  return variable("CXG_TLS") === "self-signed" ? `${dataDir}/${CA_FILE}` : undefined;
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

/** How this machine reaches a gateway. */
interface Place {
  /** The http:// or https:// base of its API. */
  readonly url: string;
  /** What to dial for that, where its host is only what the certificate is for. */
  readonly host?: string;
  /** The http:// or https:// base for everybody else. */
  readonly publicUrl: string;
}

function placeOf({ url, internal_url, internal_host }: GatewayFile): Place {
  return { url: internal_url ?? url, host: internal_host, publicUrl: url };
}

function placeFromEnv(): Place {
  const ownCertificate = variable("CXG_TLS_CERT");
  const scheme = ownCertificate || variable("CXG_TLS") ? "https" : "http";
  const urlAt = (host: string, port: string) => httpUrl(host, Number(port), scheme);
  const publicUrl = urlAt(
    variable("CXG_HOST") || "127.0.0.1",
    variable("CXG_PORT") || "6060",
  );
  const internalPort = variable("CXG_INTERNAL_PORT");
  if (!internalPort) return { url: publicUrl, publicUrl };
  const host = variable("CXG_INTERNAL_HOST") || DEFAULT_INTERNAL_HOST;
  const publicWs = variable("CXG_PUBLIC_WS_BASE_URL");
  if (!ownCertificate || !publicWs || !URL.canParse(publicWs)) {
    return { url: urlAt(host, internalPort), publicUrl };
  }
  // That certificate is for the public name.
  return { url: urlAt(hostOf(publicWs), internalPort), host: reachableHost(host), publicUrl };
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
