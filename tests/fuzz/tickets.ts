import { isDeepStrictEqual } from "node:util";
import type { Sealed } from "../../src/auth/signed_payload.ts";
import { deriveTickets } from "../../src/auth/tickets.ts";
import { SECRET } from "../auth/crafted.ts";
import { oddValue } from "./json.ts";
import { mutateText, oddText } from "./mutate.ts";
import { Random } from "./random.ts";
import { hold, showJson, type Target } from "./target.ts";

/** A text that is opened as a ticket of one kind. */
export interface TicketInput {
  kind: number;
  text: string;
}

/** How many good tickets there are of each kind. */
const POOL = 60;

/** Tickets and key authorizations: one is opened only as the kind that it is, and unchanged. */
export class TicketTarget implements Target<TicketInput> {
  readonly name = "tickets";
  readonly share = 80;
  readonly parallel = 64;
  readonly #kinds: readonly Sealed<object>[];
  readonly #sealed: readonly ReadonlyMap<string, object>[];
  readonly #texts: readonly (readonly string[])[];

  private constructor(
    kinds: readonly Sealed<object>[],
    sealed: readonly ReadonlyMap<string, object>[],
  ) {
    this.#kinds = kinds;
    this.#sealed = sealed;
    this.#texts = sealed.map((tickets) => [...tickets.keys()]);
  }

  static async make(): Promise<TicketTarget> {
    const { executor, harness, keyAuthorization } = await deriveTickets(SECRET);
    const kinds = [executor, harness, keyAuthorization] as unknown as Sealed<object>[];
    const random = new Random("ticket payloads");
    const sealed = await Promise.all(kinds.map(async (kind) => {
      const tickets = new Map<string, object>();
      for (let i = 0; i < POOL; i++) {
        // As JSON carries it, which is all that is promised.
        const payload = JSON.parse(JSON.stringify({
          exe_id: `exe_${i}`,
          registration_id: `reg_${random.uint32()}`,
          turn_id: oddText(random).toWellFormed(),
          exp: random.uint32(),
          key_digest: oddValue(random, 0).slice(0, 500).toWellFormed(),
        }));
        tickets.set(await kind.seal(payload), payload);
      }
      return tickets;
    }));
    return new TicketTarget(kinds, sealed);
  }

  generate(random: Random): TicketInput {
    const kind = random.below(this.#kinds.length);
    const text = random.pick(this.#texts[kind]!);
    const [prefix, payload, signature] = text.split(".") as [string, string, string];
    switch (random.below(6)) {
      case 0:
        return { kind: random.below(this.#kinds.length), text };
      case 1: {
        const otherKind = random.below(this.#kinds.length);
        const other = random.pick(this.#texts[otherKind]!).split(".");
        return { kind, text: [prefix, ...random.shuffle([payload, other[2]])].join(".") };
      }
      case 2:
        return { kind, text: `${prefix}.${mutateText(random, payload)}.${signature}` };
      case 3:
        return { kind, text: `${prefix}.${payload}.${mutateText(random, signature)}` };
      case 4: {
        const otherPrefix = random.pick(["cxgx", "cxgh", "cxga", "", oddText(random)]);
        return { kind, text: `${otherPrefix}.${payload}.${signature}` };
      }
      default:
        return { kind, text: mutateText(random, text) };
    }
  }

  async check({ kind, text }: TicketInput): Promise<void> {
    let opened: object | undefined;
    try {
      opened = await this.#kinds[kind]!.open(text);
    } catch (error) {
      hold(false, `open never throws, unlike ${error}`);
    }
    const expected = this.#sealed[kind]!.get(text);
    hold(
      isDeepStrictEqual(opened, expected),
      expected === undefined ? "what was not sealed is not opened" : "what was sealed is opened",
    );
  }

  show(input: TicketInput): string {
    return showJson(input);
  }
}
