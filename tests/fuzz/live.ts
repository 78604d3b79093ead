/**
 * The gateway that the live targets talk to, in this process, on an embedded database of its own.
 *
 * @module
 */
import { configureSync, type LogRecord } from "@logtape/logtape";
import { databases, type TestDatabase } from "../support/databases.ts";
import {
  type CreatedExecutor,
  SECRETS,
  startGateway,
  type TestGateway,
} from "../support/gateway.ts";
import { askToConnect, dialInAsNoise, dialInAsRelay, register } from "../support/relay.ts";
import type { Peer } from "../support/websocket.ts";
import { Broken, hold, showJson } from "./target.ts";

/** See the module. */
export class LiveGateway implements AsyncDisposable {
  readonly gateway: TestGateway;
  /** What `{{name}}` stands for in the inputs, which must not differ from run to run. */
  readonly names: Readonly<Record<string, string>>;
  readonly #database: TestDatabase;
  readonly #machines: readonly Peer[];
  readonly #logged: Logged;

  private constructor(
    gateway: TestGateway,
    names: Readonly<Record<string, string>>,
    database: TestDatabase,
    machines: readonly Peer[],
    logged: Logged,
  ) {
    this.gateway = gateway;
    this.names = names;
    this.#database = database;
    this.#machines = machines;
    this.#logged = logged;
  }

  static async start(): Promise<LiveGateway> {
    const database = await databases[0]!.create();
    const gateway = await startGateway(database.options);
    const logged = new Logged();
    const [relay, noise, dialler, doomed, absent] = await Promise.all(
      Array.from({ length: 5 }, () => gateway.createExecutor()),
    ) as [CreatedExecutor, CreatedExecutor, CreatedExecutor, CreatedExecutor, CreatedExecutor];
    const machines = [await dialInAsRelay(gateway, relay), await dialInAsNoise(gateway, noise)];
    const { url } = await register(gateway, dialler);
    const bundle = await (await askToConnect(gateway, noise.exe_id)).json();
    const names = {
      relay: relay.exe_id,
      noise: noise.exe_id,
      dialler: dialler.exe_id,
      doomed: doomed.exe_id,
      absent: absent.exe_id,
      relayToken: await gateway.capToken(relay.exe_id),
      noiseToken: await gateway.capToken(noise.exe_id),
      absentToken: await gateway.capToken(absent.exe_id),
      registrationToken: absent.registration_token,
      executorTicket: new URL(url).searchParams.get("token")!,
      harnessTicket: new URL(bundle.url).searchParams.get("token")!,
      authorization: bundle.harness_key_authorization,
      internal: SECRETS.internal,
      shared: SECRETS.shared,
      host: `127.0.0.1:${gateway.port}`,
    };
    logged.secrets = Object.entries(names)
      .filter(([name]) => /token$|ticket$|authorization|internal|shared/i.test(name))
      .map(([, value]) => value);
    return new LiveGateway(gateway, names, database, machines, logged);
  }

  /** @throws {Broken} when it logged an error of its own or a secret, or answers no more */
  async check(): Promise<void> {
    // Nobody reads what reaches the executors.
    for (const machine of this.#machines) while (machine.pending > 0) await machine.next();
    if (this.#logged.complaint !== undefined) throw new Broken(this.#logged.complaint);
    const answer = await fetch(`${this.gateway.url}/healthz`);
    hold(await answer.text() === "ok" && answer.status === 200, "/healthz answers");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const machine of this.#machines) machine.close();
    await this.gateway.stop();
    await this.#database.dispose();
  }
}

/** What the gateway logs: no error, and no secret. */
class Logged {
  secrets: readonly string[] = [];
  complaint: string | undefined;

  constructor() {
    configureSync({
      reset: true,
      sinks: { judge: (record) => this.#judge(record) },
      loggers: [
        { category: "cxg", sinks: ["judge"], lowestLevel: "debug" },
        { category: ["logtape", "meta"], sinks: [], lowestLevel: "error" },
      ],
    });
  }

  #judge({ level, message, properties }: LogRecord): void {
    const text = showJson([message.join(""), properties]);
    if (this.secrets.some((secret) => text.includes(secret))) {
      this.complaint ??= `a secret is logged: ${text}`;
    }
    // That the database is slow for once is no fault of an input.
    const isFault = level === "error" && message.join("") !== "the database does not answer";
    if (isFault || level === "fatal") this.complaint ??= `an error is logged: ${text}`;
  }
}
