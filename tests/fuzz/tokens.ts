/**
 * Capability tokens. What `verifyCapabilityToken` says is compared with a second reading of the
 * format, by Node's HMAC and base64url.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import {
  BadSignatureError,
  CapabilityTokenError,
  type CapClaims,
  ExpiredTokenError,
  MalformedTokenError,
  verifyCapabilityToken,
} from "../../src/auth/capability_token.ts";
import { base64url, CLAIMS, craft, HEADER, NOW, SECRET, signed } from "../auth/crafted.ts";
import { mutatedObject, oddValue } from "./json.ts";
import { mutateBytes, mutateText, oddText } from "./mutate.ts";
import type { Random } from "./random.ts";
import { Broken, hold, showJson, type Target } from "./target.ts";

type Refusal = "malformed" | "signature" | "expired";

const GOOD = craft(JSON.stringify(CLAIMS));
const PARTS = GOOD.split(".") as [string, string, string];
const HEADER_FIELDS = { alg: '"HS256"', typ: '"CXG"' };
const CLAIM_FIELDS = Object.fromEntries(
  Object.entries(CLAIMS).map(([name, value]) => [name, JSON.stringify(value)]),
);
const REFUSALS = {
  malformed: MalformedTokenError,
  signature: BadSignatureError,
  expired: ExpiredTokenError,
};
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/. ";

/** The messages are fixed texts: were there more of them, they would tell of the token. */
const MAX_MESSAGES = 24;

/** See the module. */
export class Tokens implements Target<string> {
  readonly name = "tokens";
  readonly share = 130;
  readonly parallel = 64;
  readonly #messages = new Set<string>();

  generate(random: Random): string {
    switch (random.below(8)) {
      case 0:
        return mutateText(random, GOOD);
      case 1: {
        const parts = PARTS.map((part) => random.chance(0.4) ? mutateText(random, part) : part);
        return random.chance(0.5) ? signed(parts.slice(0, 2).join(".")) : parts.join(".");
      }
      case 2:
        return replaceLetter(random, GOOD);
      case 3:
        return craft(mutatedObject(random, CLAIM_FIELDS));
      case 4:
        return craft(JSON.stringify(CLAIMS), { header: mutatedObject(random, HEADER_FIELDS) });
      case 5:
        return craft(mutateBytes(random, Buffer.from(JSON.stringify(CLAIMS))), {
          header: random.chance(0.3) ? mutateBytes(random, Buffer.from(HEADER)) : HEADER,
        });
      case 6: {
        const signature = Buffer.from(PARTS[2], "base64url");
        return `${PARTS[0]}.${PARTS[1]}.${base64url(mutateBytes(random, signature))}`;
      }
      default:
        return other(random);
    }
  }

  async check(token: string): Promise<void> {
    const expected = read(token);
    let claims: CapClaims;
    try {
      claims = await verifyCapabilityToken(token, SECRET, NOW);
    } catch (error) {
      hold(error instanceof CapabilityTokenError, `only refusals are thrown, not ${error}`);
      hold(typeof expected === "string", `a good token is accepted, not "${error.message}"`);
      hold(error instanceof REFUSALS[expected], `the refusal is "${expected}", not ${error}`);
      this.#checkMessage(token, `${error.message}${error.cause ?? ""}`);
      return;
    }
    if (typeof expected === "string") throw new Broken(`the token is refused: ${expected}`);
    const same = Object.entries(expected).every(([name, value]) =>
      JSON.stringify(claims[name as keyof CapClaims]) === JSON.stringify(value)
    );
    hold(same, "the payload is the one that was signed");
  }

  show(token: string): string {
    return showJson(token);
  }

  #checkMessage(token: string, message: string): void {
    if (this.#messages.has(message)) return;
    this.#messages.add(message);
    hold(this.#messages.size <= MAX_MESSAGES, `messages are fixed texts, unlike "${message}"`);
    const said = message.replaceAll(/workspace_id|turn_id|exe_ids/g, "");
    const decoded = token.split(".").map((part) => Buffer.from(part, "base64url").toString());
    for (let i = 0; i + 8 <= said.length; i++) {
      const piece = said.slice(i, i + 8);
      const repeated = [token, ...decoded].some((text) => text.includes(piece));
      hold(!repeated, `the message has no piece of the token, unlike "${message}"`);
    }
  }
}

function replaceLetter(random: Random, text: string): string {
  const at = random.below(text.length);
  return text.slice(0, at) + random.pick([...ALPHABET]) + text.slice(at + 1);
}

function other(random: Random): string {
  switch (random.below(6)) {
    case 0:
      return craft(oddValue(random), { header: random.chance(0.2) ? oddValue(random) : HEADER });
    case 1:
      return craft(JSON.stringify(CLAIMS), { secret: random.bytes(random.length(64) + 1) });
    case 2:
      return ["", "", ""].map(() => oddText(random)).join(".");
    case 3:
      return `${GOOD}.`.repeat(random.length(50) + 1);
    case 4:
      return random.pick([PARTS[0], PARTS[1], ""]) + ".".repeat(random.length(10) + 1);
    default:
      return random.chance(0.02) ? "A".repeat(200_000 + random.below(50_000)) : GOOD;
  }
}

/** The claims that a token carries, or why it is refused. */
function read(token: string): CapClaims | Refusal {
  const parts = token.split(".");
  const [header, payload, signature] = parts;
  if (parts.length !== 3 || !header || !payload || !signature) return "malformed";
  const head = object(header);
  if (head?.alg !== "HS256" || head.typ !== "CXG") return "malformed";
  if (bytesOf(signature) === undefined) return "malformed";
  const right = createHmac("sha256", SECRET).update(`${header}.${payload}`).digest("base64url");
  if (right !== signature) return "signature";
  const fields = object(payload);
  if (fields === undefined) return "malformed";
  const { turn_id, workspace_id = "", iat = 0, exp } = fields;
  const exe_ids = fields.exe_ids ?? [];
  const fits = typeof turn_id === "string" && turn_id.length > 0 && turn_id.length <= 1024 &&
    turn_id.isWellFormed() && !turn_id.includes("\0") &&
    typeof workspace_id === "string" && Number.isSafeInteger(iat) && Number.isSafeInteger(exp) &&
    Array.isArray(exe_ids) && exe_ids.every((id) => typeof id === "string");
  if (!fits) return "malformed";
  if (exp as number < NOW) return "expired";
  // Seven days, and what clocks may be apart.
  if (exp as number > NOW + 7 * 86_400 + 300) return "malformed";
  return { turn_id, workspace_id, exe_ids, iat: iat as number, exp: exp as number };
}

function object(part: string): Record<string, unknown> | undefined {
  const bytes = bytesOf(part);
  if (bytes === undefined) return undefined;
  const text = bytes.toString("utf8");
  if (!Buffer.from(text).equals(bytes)) return undefined;
  try {
    const value = JSON.parse(text);
    return Object.prototype.toString.call(value) === "[object Object]" ? value : undefined;
  } catch {
    return undefined;
  }
}

function bytesOf(part: string): Buffer | undefined {
  const bytes = Buffer.from(part, "base64url");
  return bytes.toString("base64url") === part ? bytes : undefined;
}
