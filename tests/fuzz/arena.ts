/**
 * Executors and bridges of one kind: some to be attacked, and a pair that must not notice.
 *
 * @module
 */
import { frame, NOISE_REGISTRATION, register } from "../support/relay.ts";
import type { CreatedExecutor, TestGateway } from "../support/gateway.ts";
import { connect, type Message, type Peer, settled } from "../support/websocket.ts";
import { Broken, hold } from "./target.ts";
import { wireFrame, WireSocket } from "./wire.ts";

/** The kinds of executor sockets. */
export const KINDS = ["exclusive", "relay", "noise"] as const;

/** Which end of the gateway is attacked. */
export type Side = "harness" | "executor";

/** Streams: the untouched pair's, and those of the attackers. */
export const STREAMS = { witness: "stream-witness", mine: "stream-mine" } as const;

const TRIES = 60;
const TRY_MS = 50;

/** An executor and the URL that it dials. */
interface Machine {
  readonly executor: CreatedExecutor;
  readonly url: URL;
  peer?: Peer;
  /** Absent when it is not up and does not dial. */
  up?: Promise<Peer>;
}

/** See the module. */
export class Arena implements AsyncDisposable {
  readonly kind: typeof KINDS[number];
  readonly #gateway: TestGateway;
  /** Whose harness is attacked, and whose socket is. */
  readonly #front: Machine;
  readonly #back: Machine;
  /** Of the untouched pair: where bridges share an executor, the one whose harness is attacked. */
  readonly #witness: Machine;
  #harness: Peer | undefined;
  #victim: Peer | undefined;
  readonly #attackers: Partial<Record<Side, WireSocket>> = {};
  #round = 0;
  #isOver = false;

  private constructor(
    gateway: TestGateway,
    kind: Arena["kind"],
    [front, back, witness]: readonly [Machine, Machine, Machine],
  ) {
    this.#gateway = gateway;
    this.kind = kind;
    this.#front = front;
    this.#back = back;
    this.#witness = witness;
  }

  static async make(gateway: TestGateway, kind: Arena["kind"]): Promise<Arena> {
    const front = await makeMachine(gateway, kind);
    const back = await makeMachine(gateway, kind);
    const witness = kind === "exclusive" ? await makeMachine(gateway, kind) : front;
    const arena = new Arena(gateway, kind, [front, back, witness]);
    await arena.#raise(witness);
    arena.#harness = await arena.#bridge(witness);
    if (kind !== "exclusive") arena.#harness.send(frame(STREAMS.witness, "resume"));
    await arena.checkWitness();
    return arena;
  }

  /** Sends bytes from one side; opens its websocket anew when it has been closed. */
  async attack(side: Side, bytes: Uint8Array, leaves: boolean): Promise<void> {
    let attacker = this.#attackers[side];
    if (!attacker?.isOpen) {
      attacker = side === "harness" ? await this.#attackFront() : await this.#attackBack();
      this.#attackers[side] = attacker;
    }
    await attacker.send(bytes);
    if (leaves) attacker[Symbol.dispose]();
  }

  /** @throws {Broken} when the untouched pair does not echo */
  async checkWitness(): Promise<void> {
    const machine = this.#witness.peer!;
    const harness = this.#harness!;
    const what = `${this.kind} pair`;
    try {
      const there = this.#message("there");
      harness.send(there);
      // Its executor may have bridges that are attacked.
      while (!same(await machine.next(), there));
      const back = this.#message("back");
      machine.send(back);
      hold(same(await harness.next(), back), `the untouched ${what} gets what was sent to it`);
    } catch (error) {
      if (error instanceof Broken) throw error;
      throw new Broken(`the untouched ${what} goes on echoing: ${error}`);
    }
    for (const peer of [this.#front.peer, this.#victim]) {
      if (peer !== undefined && peer !== machine) { while (peer.pending > 0) await peer.next(); }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    for (const attacker of Object.values(this.#attackers)) attacker[Symbol.dispose]();
    const peers = [this.#harness, this.#victim, this.#front.peer, this.#back.peer];
    for (const peer of [...peers, this.#witness.peer]) peer?.close();
    await settled(this.#witness.peer!.closed, 2_000);
  }

  #message(text: string): Message {
    const said = `${text} ${this.#round++}`;
    if (this.kind === "exclusive") return said;
    return frame(STREAMS.witness, "data", new TextEncoder().encode(said));
  }

  async #attackFront(): Promise<WireSocket> {
    const path = `/bridge/${this.#front.executor.exe_id}`;
    const attacker = await eventually("a bridge is opened again", async () => {
      await this.#raise(this.#front);
      const token = await this.#gateway.capToken(this.#front.executor.exe_id);
      return await WireSocket.open(this.#gateway.port, path, token);
    });
    await attacker.send(wireFrame(frame(STREAMS.mine, "resume"), { opcode: 2 }));
    return attacker;
  }

  async #attackBack(): Promise<WireSocket> {
    const { executor, url } = this.#back;
    const attacker = await eventually(
      "an executor dials in again",
      () => WireSocket.open(this.#gateway.port, url.pathname, url.searchParams.get("token")!),
    );
    // What is sent should find a bridge. It is opened only if the attacker is still there.
    this.#victim?.close();
    try {
      this.#victim = await connect(`${this.#gateway.wsUrl}/bridge/${executor.exe_id}`, {
        authorization: `Bearer ${await this.#gateway.capToken(executor.exe_id)}`,
      });
      if (this.kind !== "exclusive") this.#victim.send(frame(STREAMS.mine, "resume"));
    } catch {
      this.#victim = undefined;
    }
    return attacker;
  }

  async #bridge({ executor }: Machine): Promise<Peer> {
    return await connect(`${this.#gateway.wsUrl}/bridge/${executor.exe_id}`, {
      authorization: `Bearer ${await this.#gateway.capToken(executor.exe_id)}`,
    });
  }

  /** Dials in, unless the machine is up or dials already. */
  async #raise(machine: Machine): Promise<void> {
    if (machine.up !== undefined) {
      await machine.up;
      return;
    }
    hold(machine !== this.#witness || machine.peer === undefined, "an untouched executor stays up");
    machine.up = connect(machine.url.href);
    try {
      machine.peer = await machine.up;
    } catch (error) {
      machine.up = undefined;
      throw error;
    }
    machine.peer.closed.then(() => {
      machine.up = undefined;
      // At once, as codex does: a bridge that is being opened waits for it.
      if (machine !== this.#witness && !this.#isOver) this.#raise(machine).catch(() => {});
    });
  }
}

async function makeMachine(gateway: TestGateway, kind: Arena["kind"]): Promise<Machine> {
  const executor = await gateway.createExecutor("ws_sockets");
  const body = { exclusive: { idempotency_id: "i" }, relay: undefined, noise: NOISE_REGISTRATION };
  const { url } = await register(gateway, executor, body[kind]);
  return { executor, url: new URL(url) };
}

/** Tries until the websocket opens: what was closed a moment ago may still be in the way. */
async function eventually(
  what: string,
  open: () => Promise<WireSocket | number>,
): Promise<WireSocket> {
  const statuses: number[] = [];
  for (let i = 0; i < TRIES; i++) {
    const opened = await open();
    if (opened instanceof WireSocket) return opened;
    statuses.push(opened);
    await new Promise((resolve) => setTimeout(resolve, TRY_MS));
  }
  throw new Broken(`${what}, within ${TRIES} tries: answered ${[...new Set(statuses)]}`);
}

function same(a: Message, b: Message): boolean {
  if (typeof a === "string" || typeof b === "string") return a === b;
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
