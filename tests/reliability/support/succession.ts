import type { StoreOptions } from "../../../src/store/store.ts";
import { freePort } from "../../support/free_port.ts";
import { GatewayProcess } from "../../support/gateway_process.ts";

/** Whether connections that a closed listener has not accepted go to another one on its port (docs/operate.md). */
const MIGRATE = "/proc/sys/net/ipv4/tcp_migrate_req";

/** Gateways that take over from one another on one port. */
export class Succession implements AsyncDisposable {
  readonly #store: StoreOptions;
  readonly #variables: Readonly<Record<string, string>>;
  #migrateBefore: string | undefined;
  /** The one that serves. */
  current!: GatewayProcess;

  private constructor(store: StoreOptions, variables: Readonly<Record<string, string>>) {
    this.#store = store;
    this.#variables = { ...variables, CXG_PORT: String(freePort()), CXG_SHARE_PORT: "1" };
  }

  /** @param variables their CXG_* variables, besides the port and that it is shared */
  static async start(
    store: StoreOptions,
    variables: Readonly<Record<string, string>> = {},
  ): Promise<Succession> {
    const succession = new Succession(store, variables);
    await succession.#migrateConnections();
    succession.current = await GatewayProcess.start(store, succession.#variables);
    return succession;
  }

  /**
   * Starts a successor, and then stops the present one.
   *
   * @returns when the stop was asked for, as `performance.now()` gives it
   */
  async replace(signal: "SIGTERM" | "SIGKILL"): Promise<number> {
    const old = this.current;
    const next = GatewayProcess.launch(this.#store, this.#variables);
    try {
      // On the embedded database it listens only when the old one has stopped.
      await (this.#store.databaseUrl === undefined ? next.inLine() : next.listening);
      const at = performance.now();
      old.kill(signal);
      await old.exited;
      await next.listening;
      this.current = next;
      return at;
    } catch (error) {
      await next[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.current[Symbol.asyncDispose]();
    if (this.#migrateBefore !== undefined) await Deno.writeTextFile(MIGRATE, this.#migrateBefore);
  }

  /** Sets the machine up as docs/operate.md says, where this process may. */
  async #migrateConnections(): Promise<void> {
    try {
      const before = await Deno.readTextFile(MIGRATE);
      await Deno.writeTextFile(MIGRATE, "1");
      this.#migrateBefore = before;
    } catch (error) {
      const mayNot = error instanceof Deno.errors.PermissionDenied ||
        error instanceof Deno.errors.NotFound;
      if (!mayNot) throw error;
    }
  }
}
