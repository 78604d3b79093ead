/**
 * A real gateway in this process, on a free port, and the calls that tests make of one.
 *
 * @module
 */
import { type CapClaims, mintCapabilityToken } from "../../src/auth/capability_token.ts";
import type { KeyPair } from "../../src/auth/direct_keys.ts";
import type { Config } from "../../src/config.ts";
import { Server } from "../../src/server.ts";
import type { Contention } from "../../src/switchboard/contention.ts";
import type { GateTimes } from "../../src/switchboard/handshake_gate.ts";
import type { StoreOptions } from "../../src/store/store.ts";
import type { ServerCertificate } from "../../src/tls/server_certificate.ts";
import { forEachDatabase, onAnyDatabase } from "./databases.ts";
import { keepLogs, noteSecret } from "./evidence.ts";
import { fetchFrom, Trust } from "./trust.ts";

/** The secrets of the gateways that tests start. */
export const SECRETS = {
  capToken: "test-captoken-hmac-secret-0123456789",
  internal: "test-agentserver-internal-secret",
  shared: "test-internal-shared-secret-0123456789",
};

/** An executor that a test created. */
export interface CreatedExecutor {
  exe_id: string;
  registration_token: string;
  /** Where it was asked for. */
  direct?: KeyPair;
}

/** What tests ask of a gateway, wherever it runs. */
export abstract class GatewayClient {
  abstract readonly port: number;
  /** The CA of its certificate, where it serves TLS. */
  protected trust: Trust | undefined;

  get url(): string {
    return `${this.trust === undefined ? "http" : "https"}://127.0.0.1:${this.port}`;
  }

  /** Where its internal endpoints are. */
  get internalUrl(): string {
    return this.url;
  }

  get wsUrl(): string {
    return this.url.replace("http", "ws");
  }

  /** Calls an endpoint with the secret that it takes; the answer's body is the caller's to read. */
  call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const secret = path.startsWith("/api/exec-gateway/") ? SECRETS.shared : SECRETS.internal;
    const isInternal = path.startsWith("/api/") || path === "/metrics";
    return fetchFrom((isInternal ? this.internalUrl : this.url) + path, {
      method,
      headers: { "x-internal-secret": secret, ...headers },
      body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
    });
  }

  /** Creates an executor, bound to a workspace. */
  async createExecutor(workspaceId = "ws_test", fields: object = {}): Promise<CreatedExecutor> {
    const body = { description: "a box", ...fields };
    const response = await this.call("POST", "/api/codex-exec/register", body, {
      "x-user-id": "user_test",
    });
    if (response.status !== 201) throw new Error(`register: ${await response.text()}`);
    const executor: CreatedExecutor = await response.json();
    noteSecret("registration token", executor.registration_token);
    const path = `/api/codex-exec/workspaces/${workspaceId}/executors`;
    const bound = await this.call("POST", path, { exe_id: executor.exe_id });
    if (bound.status !== 201) throw new Error(`bind: ${await bound.text()}`);
    await bound.body?.cancel();
    return executor;
  }

  /** A capability token for an executor, good for an hour unless the claims say otherwise. */
  async capToken(exeId: string, claims: Partial<CapClaims> = {}): Promise<string> {
    const iat = Math.floor(Date.now() / 1000);
    const token = await mintCapabilityToken({
      turn_id: `turn_${crypto.randomUUID()}`,
      workspace_id: "ws_test",
      exe_ids: [exeId],
      iat,
      exp: iat + 3600,
      ...claims,
    }, new TextEncoder().encode(SECRETS.capToken));
    noteSecret("capability token", token);
    return token;
  }

  /** The ids of a workspace's executors that are connected. */
  async connected(workspaceId = "ws_test"): Promise<string[]> {
    const path = `/api/exec-gateway/connected?workspace_id=${workspaceId}`;
    const executors: { exe_id: string }[] = await (await this.call("GET", path)).json();
    return executors.map(({ exe_id }) => exe_id);
  }

  /** The samples of `/metrics` whose names begin so, a line each. */
  async samples(name: string): Promise<string[]> {
    const response = await this.call("GET", "/metrics", undefined, {
      "x-internal-secret": SECRETS.shared,
    });
    return (await response.text()).split("\n").filter((line) => line.startsWith(name));
  }

  /** One sample of `/metrics`, by its name and labels. */
  async metric(sample: string): Promise<number> {
    const [line] = await this.samples(`${sample} `);
    if (line === undefined) throw new Error(`there is no ${sample}`);
    return Number(line.slice(sample.length + 1));
  }
}

/** A gateway in this process. */
export class TestGateway extends GatewayClient implements AsyncDisposable {
  readonly #server: Server;
  readonly #ends: DisposableStack;

  /**
   * @param ca of its certificate, PEM, where it serves TLS
   * @param ends what goes with it
   */
  constructor(server: Server, ca: string | undefined, ends: DisposableStack) {
    super();
    this.#server = server;
    this.#ends = ends;
    const ports = [server.addr, server.internalAddr ?? server.addr].map(({ port }) => port);
    if (ca !== undefined) this.trust = ends.use(new Trust(ports, ca));
  }

  /** What it serves TLS with. */
  get certificate(): ServerCertificate {
    return this.#server.certificate!;
  }

  get port(): number {
    return this.#server.addr.port;
  }

  override get internalUrl(): string {
    const { internalAddr } = this.#server;
    return internalAddr === undefined
      ? this.url
      : this.url.replace(/:\d+$/, `:${internalAddr.port}`);
  }

  async stop(): Promise<void> {
    await this.#server.shutdown();
    this.#ends.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

/** What a test may want otherwise. */
export type GatewayOptions = Partial<Config> & {
  maxWaitingChecks?: number;
  maxRevokedInMemory?: number;
  contention?: Contention;
  portClosesAfterMs?: readonly number[];
  /** The CA of the certificate that `tls` names, PEM. That of `self-signed` is known. */
  ca?: string;
  stuckMs?: number;
  beginWithinMs?: number;
  handshakes?: GateTimes;
  dialsWithinMs?: number;
};

/**
 * Starts a gateway on a database.
 *
 * @param store the database, which outlives the gateway
 */
export async function startGateway(
  store: StoreOptions,
  {
    maxWaitingChecks,
    maxRevokedInMemory,
    contention,
    portClosesAfterMs,
    stuckMs,
    beginWithinMs,
    handshakes,
    dialsWithinMs,
    ca,
    ...config
  }: GatewayOptions = {},
): Promise<TestGateway> {
  keepLogs();
  for (const secret of Object.values(SECRETS)) noteSecret("configured", secret);
  const ends = new DisposableStack();
  // On PostgreSQL a gateway has no data directory, but where it makes its own certificate.
  const dataDir = config.dataDir ??
    (store.dataDir || (config.tls && temporaryDirectory(ends)) || "");
  const server = await Server.start({
    port: 0,
    host: "127.0.0.1",
    sharePort: false,
    capTokenHmacSecret: new TextEncoder().encode(SECRETS.capToken),
    agentserverInternalSecret: SECRETS.internal,
    internalSharedSecret: SECRETS.shared,
    logLevel: "info",
    maxStreams: 128,
    maxBufferedBytes: 16 * 1024 * 1024,
    maxFrameBytes: 64 * 1024 * 1024 - 2,
    workspaceTokens: false,
    maxTokenTtlS: 7 * 86_400,
    maxConnectionsPerAddress: 16_384,
    trustedProxies: [],
    pingIntervalS: 15,
    ...store,
    dataDir,
    ...config,
  }, {
    maxWaitingChecks,
    maxRevokedInMemory,
    contention,
    portClosesAfterMs,
    stuckMs,
    beginWithinMs,
    handshakes,
    dialsWithinMs,
  });
  const own = server.certificate?.ca;
  const trusted = own === undefined ? ca : await Deno.readTextFile(`${dataDir}/${own.file}`);
  return new TestGateway(server, trusted, ends);
}

function temporaryDirectory(ends: DisposableStack): string {
  const path = Deno.makeTempDirSync({ prefix: "cxg-test-" });
  ends.defer(() => Deno.removeSync(path, { recursive: true }));
  return path;
}

/** What a gateway is put to. */
type GatewayTest = (gateway: TestGateway, context: Deno.TestContext) => Promise<void>;

/** Registers a test of a gateway once for each database, with both of its own. */
export function gatewayTest(name: string, test: GatewayTest, options: GatewayOptions = {}): void {
  forEachDatabase(name, withGateway(test, options), { takesOpen: true });
}

/** Registers a test of a gateway once, for what no database has a part in. */
export function switchboardTest(
  name: string,
  test: GatewayTest,
  options: GatewayOptions = {},
): void {
  onAnyDatabase(name, withGateway(test, options), { takesOpen: true });
}

function withGateway(test: GatewayTest, options: GatewayOptions) {
  return async (store: StoreOptions, context: Deno.TestContext) => {
    await using gateway = await startGateway(store, options);
    await test(gateway, context);
  };
}
