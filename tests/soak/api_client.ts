import type { Random } from "../fuzz/random.ts";
import type { Executor } from "./executor.ts";
import type { Phase, World } from "./world.ts";

/** How long the close frame of an executor that the gateway closed may take to reach it, in milliseconds. */
const CLOSING_MS = 5_000;

/** A binding as a listing shows it. */
interface Listed {
  readonly exe_id: string;
  readonly is_default: boolean;
  readonly connected?: boolean;
}

/**
 * Keeps a workspace of its own: creates, binds, unbinds and removes executors, and checks each listing
 * against what it has done and against who is connected.
 */
export class ApiClient {
  readonly #world: World;
  readonly #random: Random;
  readonly #path: string;
  readonly #id: string;
  /** What is bound, in the order of binding. */
  #bound: { exe_id: string; is_default: boolean }[] = [];
  /** What it has created and not removed: nobody dials in as these. */
  readonly #own = new Set<string>();

  constructor(world: World, number: number) {
    this.#world = world;
    this.#random = world.random("api client");
    this.#id = `ws_soak_${number}`;
    this.#path = `/api/codex-exec/workspaces/${this.#id}/executors`;
  }

  /** Calls one endpoint after another until the phase is over. */
  async run(phase: Phase): Promise<void> {
    while (!phase.over) {
      const point = this.#random.below(100);
      if (point < 8) await this.#create();
      else if (point < 14) await this.#remove();
      else if (point < 44) await this.#bind();
      else if (point < 66) await this.#unbind();
      else await this.list();
      this.#world.count("calls of the API");
      await this.#world.pace.pause(this.#random, 80);
    }
  }

  /** Checks both listings against what was done. */
  async list(): Promise<void> {
    const since = performance.now();
    const all = await this.#ask("GET", 200) as Listed[];
    this.#compare("the listing", all, this.#bound);
    for (const { exe_id, connected } of all) {
      const exe = this.#world.find(exe_id);
      await this.#checkConnected(exe, exe_id, connected === true, since);
    }
    const { body } = await this.#world.api.expect(this.#world, 200, {
      method: "GET",
      route: "/api/exec-gateway/connected",
      path: `/api/exec-gateway/connected?workspace_id=${this.#id}`,
    });
    const connected = body as Listed[];
    const ids = new Set(connected.map(({ exe_id }) => exe_id));
    this.#compare("connected", connected, this.#bound.filter(({ exe_id }) => ids.has(exe_id)));
    for (const { exe_id } of this.#bound) {
      const exe = this.#world.find(exe_id);
      await this.#checkConnected(exe, exe_id, ids.has(exe_id), since);
    }
  }

  async #create(): Promise<void> {
    const { body } = await this.#world.api.expect(this.#world, 201, {
      method: "POST",
      route: "/api/codex-exec/register",
      headers: { "x-user-id": "user_soak" },
      body: { description: "made by the soak" },
    });
    const { exe_id } = body as { exe_id: string };
    this.#own.add(exe_id);
    await this.#bind(exe_id);
  }

  async #remove(): Promise<void> {
    const exeId = [...this.#own][0];
    if (exeId === undefined) return;
    this.#own.delete(exeId);
    this.#bound = this.#bound.filter(({ exe_id }) => exe_id !== exeId);
    await this.#world.api.expect(this.#world, 204, {
      method: "DELETE",
      route: "/api/codex-exec/executors/:exe_id",
      path: `/api/codex-exec/executors/${exeId}`,
    });
  }

  async #bind(exe_id = this.#random.pick(this.#world.executors).exeId): Promise<void> {
    const is_default = this.#random.chance(0.2);
    await this.#ask("POST", 201, "", { exe_id, is_default });
    const known = this.#bound.find((one) => one.exe_id === exe_id);
    if (is_default) { for (const one of this.#bound) one.is_default = false; }
    if (known === undefined) this.#bound.push({ exe_id, is_default });
    else known.is_default = is_default;
  }

  async #unbind(): Promise<void> {
    if (this.#bound.length === 0) return;
    const { exe_id } = this.#random.pick(this.#bound);
    this.#bound = this.#bound.filter((one) => one.exe_id !== exe_id);
    await this.#ask("DELETE", 204, `/${exe_id}`);
  }

  async #ask(
    method: "GET" | "POST" | "DELETE",
    status: number,
    suffix = "",
    body?: unknown,
  ): Promise<unknown> {
    const route = `/api/codex-exec/workspaces/:wid/executors${suffix === "" ? "" : "/:exe_id"}`;
    const path = this.#path + suffix;
    return (await this.#world.api.expect(this.#world, status, { method, route, path, body })).body;
  }

  #compare(what: string, listed: readonly Listed[], expected: readonly Listed[]): void {
    const show = (some: readonly Listed[]) =>
      some.map(({ exe_id, is_default }) => `${exe_id}${is_default ? "*" : ""}`).join(" ");
    this.#world.breaches.unless(
      show(listed) === show(expected),
      () => `${what} of ${this.#id} is ${show(listed)} instead of ${show(expected)}`,
    );
  }

  async #checkConnected(
    exe: Executor | undefined,
    exeId: string,
    connected: boolean,
    since: number,
  ): Promise<void> {
    if (connected && (exe === undefined || exe.wasDownSince(since))) {
      this.#world.breaches.note(`${exeId} is listed as connected and is not`);
    } else if (!connected && exe?.connection?.wasUpSince(since)) {
      const { connection } = exe;
      // The gateway closes a text executor by itself, and this one may not have read of it yet.
      const closing = exe.kind === "text" &&
        await connection.changed.until(() => !connection.isOpen, CLOSING_MS);
      if (!closing) this.#world.breaches.note(`${exeId} is connected and is not listed as such`);
    }
  }
}
