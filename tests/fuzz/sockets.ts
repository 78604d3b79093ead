import { frame } from "../support/relay.ts";
import { Arena, KINDS, type Side, STREAMS } from "./arena.ts";
import { mutatedFrame } from "./frames.ts";
import { mutatedObject } from "./json.ts";
import type { LiveGateway } from "./live.ts";
import { oddText } from "./mutate.ts";
import type { Random } from "./random.ts";
import type { Target } from "./target.ts";
import { wireMessage, wireNonsense } from "./wire.ts";

/** Bytes that go out on a websocket that was opened properly. */
export interface SocketInput {
  /** The executor's. */
  kind: typeof KINDS[number];
  side: Side;
  bytes: Uint8Array<ArrayBuffer>;
  /** Whether the connection is dropped after them. */
  leaves: boolean;
}

/** More than a Noise endpoint takes. */
const LARGE = 300 * 1024;

/** How many bytes of a shown input a person still reads. */
const SHOWN = 4_000;

const RPC = { jsonrpc: '"2.0"', id: "1", method: '"initialize"', params: "{}" };

/** Websockets of every kind, from both sides: an untouched pair of each kind goes on echoing. */
export class Sockets implements Target<SocketInput>, AsyncDisposable {
  readonly name = "sockets";
  readonly share = 14;
  readonly parallel = 1;
  readonly #live: LiveGateway;
  readonly #arenas: readonly Arena[];

  private constructor(live: LiveGateway, arenas: readonly Arena[]) {
    this.#live = live;
    this.#arenas = arenas;
  }

  static async make(live: LiveGateway): Promise<Sockets> {
    const arenas: Arena[] = [];
    for (const kind of KINDS) arenas.push(await Arena.make(live.gateway, kind));
    return new Sockets(live, arenas);
  }

  generate(random: Random): SocketInput {
    const kind = random.pick(KINDS);
    const side = random.pick(["harness", "executor"] as const);
    const isText = random.chance(0.15);
    const payload = isText ? textPayload(random) : binaryPayload(random);
    const isNonsense = random.chance(0.1);
    const bytes = isNonsense
      ? wireNonsense(random, payload)
      : wireMessage(random, isText ? 1 : 2, payload);
    return { kind, side, bytes, leaves: isNonsense || random.chance(0.03) };
  }

  async check({ kind, side, bytes, leaves }: SocketInput): Promise<void> {
    await this.#arenas.find((arena) => arena.kind === kind)!.attack(side, bytes, leaves);
  }

  async settle(): Promise<void> {
    for (const arena of this.#arenas) await arena.checkWitness();
    await this.#live.check();
  }

  show({ kind, side, bytes, leaves }: SocketInput): string {
    const hex = bytes.subarray(0, SHOWN).toHex();
    const more = bytes.length > SHOWN ? `… (${bytes.length} bytes)` : "";
    return `${kind} ${side}${leaves ? ", then leaves" : ""}: ${hex}${more}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const arena of this.#arenas) await arena[Symbol.asyncDispose]();
  }
}

function textPayload(random: Random): Uint8Array {
  const text = random.chance(0.5) ? mutatedObject(random, RPC) : oddText(random);
  return new TextEncoder().encode(text);
}

function binaryPayload(random: Random): Uint8Array {
  const kind = random.below(100);
  const streamId = random.pick([STREAMS.witness, STREAMS.mine, `stream-${random.below(300)}`]);
  if (kind === 0) return frame(streamId, "data", new Uint8Array(LARGE));
  if (kind < 15) return random.bytes(random.length(300));
  if (kind < 55) return mutatedFrame(random, streamId);
  const body = random.pick(
    ["data", "ack", "resume", "resume", "reset", "heartbeat", "handshake"] as const,
  );
  return frame(streamId, body, random.bytes(random.length(200)));
}
