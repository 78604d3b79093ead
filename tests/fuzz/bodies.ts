import {
  MAX_BODY_BYTES,
  optionalBoolean,
  optionalText,
  readJsonObject,
  requiredObject,
  requiredText,
} from "../../src/http/body.ts";
import { HttpError } from "../../src/http/context.ts";
import { HARNESS_KEY, noiseKey } from "../support/relay.ts";
import { mutatedObject, nested, oddValue } from "./json.ts";
import { mutateBytes } from "./mutate.ts";
import type { Random } from "./random.ts";
import { hold, type Target } from "./target.ts";

/** A body, and the length that it claims to have. */
export interface BodyInput {
  bytes: Uint8Array<ArrayBuffer>;
  contentLength?: string;
}

/** The fields of every documented body, each with a right value. */
export const BODY_FIELDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  register: { display_name: '"a box"', description: '"d"', default_cwd: '"/"', direct: "true" },
  bind: { exe_id: '"{{absent}}"', is_default: "true" },
  revoke: { turn_id: '"turn_nobody"', exp: "4000000000" },
  noise: {
    security_profile: '"noise_hybrid_ik_v1"',
    executor_public_key: JSON.stringify(noiseKey()),
  },
  direct: { transport: '"direct_jsonrpc_v1"' },
  exclusive: { idempotency_id: '"i"' },
  connect: { harness_public_key: JSON.stringify(HARNESS_KEY) },
  validate: {
    executor_registration_id: '"reg_1"',
    harness_public_key: '{"suite":"s"}',
    harness_key_authorization: '"{{authorization}}"',
  },
};

/** The bytes of a body of a kind: mostly JSON. */
export function bodyBytes(
  random: Random,
  fields: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  if (random.chance(0.05)) return random.bytes(random.length(200));
  if (random.chance(0.01)) return new Uint8Array(MAX_BODY_BYTES - 2 + random.below(5)).fill(0x20);
  if (random.chance(0.1)) {
    // Deeper than what a recursive function bears, in a body that is right otherwise.
    const deep = { ...fields, [random.pick(Object.keys(fields))]: nested(random, 2_000, 30_000) };
    return new TextEncoder().encode(mutatedObject(random, deep, 0));
  }
  const text = random.chance(0.1) ? oddValue(random) : mutatedObject(random, fields);
  const bytes = new TextEncoder().encode(text);
  return random.chance(0.1) ? mutateBytes(random, bytes) : bytes;
}

/** Reading a body and its fields, without a gateway around them. */
export class Bodies implements Target<BodyInput> {
  readonly name = "bodies";
  readonly share = 40;
  readonly parallel = 64;

  generate(random: Random): BodyInput {
    const bytes = bodyBytes(random, random.pick(Object.values(BODY_FIELDS)));
    const contentLength = random.chance(0.1)
      ? random.pick(["0", "-1", "1e9", "99999999999", "NaN", "", "65537", "0x10001"])
      : undefined;
    return { bytes, contentLength };
  }

  async check({ bytes, contentLength }: BodyInput): Promise<void> {
    const headers = new Headers(
      contentLength === undefined ? {} : {
        "content-length": contentLength,
      },
    );
    const req = new Request("http://h/", { method: "POST", body: bytes, headers });
    const claimsTooMuch = Number(contentLength) > MAX_BODY_BYTES;
    const status = claimsTooMuch || bytes.length > MAX_BODY_BYTES ? 413 : 400;
    const body = await refused(status, () => readJsonObject(req));
    hold(!claimsTooMuch || body === undefined, "a body that claims to be too large is refused");
    if (body === undefined) return;
    const isObject = typeof body === "object" && body !== null && !Array.isArray(body);
    hold(isObject, "a body that is accepted is an object");
    for (const name of [...Object.keys(body), "toString", "__proto__", "constructor"]) {
      const text = await refused(400, () => optionalText(body, name, 100));
      hold(text === undefined || text.length <= 100 && text.isWellFormed(), "a text is checked");
      const required = await refused(400, () => requiredText(body, name, 100));
      hold(required !== "", "a required text is not empty");
      const flag = await refused(400, () => optionalBoolean(body, name));
      hold(flag === undefined || typeof flag === "boolean", "a flag is true or false");
      const object = await refused(400, () => requiredObject(body, name));
      hold(object === undefined || typeof object === "object", "an object is an object");
    }
  }

  show({ bytes, contentLength }: BodyInput): string {
    const length = contentLength === undefined ? "" : ` content-length: "${contentLength}"`;
    return `${bytes.toHex()}${length}`;
  }
}

/** What `read` returns; `undefined` when it refuses with this status, as it may. */
async function refused<T>(status: number, read: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    hold(error.status === status, `the refusal is ${status}, not ${error.status}`);
    return undefined;
  }
}
