/** Every way in which a capability token can be of the wrong form. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { MalformedTokenError } from "../../src/auth/capability_token.ts";
import { base64url, CLAIMS, craft, HEADER, refusalOf, signed, tokenWith } from "./crafted.ts";

function assertMalformed(what: string, token: string, detail?: RegExp): void {
  Deno.test(`malformed: ${what}`, async () => {
    const error = await refusalOf(token);
    assert.equal(error.constructor, MalformedTokenError, `was ${error}`);
    if (detail !== undefined) assert.match(error.message, detail);
  });
}

const good = tokenWith();
const [header, payload, signature] = good.split(".") as [string, string, string];
const claims = JSON.stringify(CLAIMS);

// The number of parts.
for (
  const [what, token] of [
    ["empty", ""],
    ["one part", header],
    ["two parts", `${header}.${payload}`],
    ["four parts", `${good}.${signature}`],
    ["a dot too many at the end", `${good}.`],
    ["a dot too many at the start", `.${good}`],
    ["nothing but dots", ".."],
    ["an empty header", `.${payload}.${signature}`],
    ["an empty payload", signed(`${header}.`)],
    ["an empty signature", `${header}.${payload}.`],
  ] as const
) assertMalformed(what, token, /three parts/);

// The encoding. Those of the header and the payload are signed as they are.
const unclean: [string, (part: string) => string][] = [
  ["padding", (part) => `${part}=`],
  ["a line break after it", (part) => `${part}\n`],
  ["a blank before it", (part) => ` ${part}`],
  ["a blank in it", (part) => `${part.slice(0, 4)} ${part.slice(4)}`],
  ["a NUL after it", (part) => `${part}\0`],
  ["a letter that is not ASCII", (part) => `é${part.slice(1)}`],
  ["half a surrogate pair", (part) => `\ud800${part.slice(1)}`],
  ["the + of the standard alphabet", (part) => `+${part.slice(1)}`],
  ["the / of the standard alphabet", (part) => `/${part.slice(1)}`],
  ["a length that no bytes have", (part) => part.slice(0, part.length - part.length % 4) + "A"],
];
for (const [what, spoil] of unclean) {
  assertMalformed(`a header with ${what}`, signed(`${spoil(header)}.${payload}`), /header/);
  assertMalformed(`a payload with ${what}`, signed(`${header}.${spoil(payload)}`), /payload/);
  assertMalformed(
    `a signature with ${what}`,
    `${header}.${payload}.${spoil(signature)}`,
    /signature/,
  );
}
const unpadded = (text: string, blanks: number) => base64url(text + " ".repeat(blanks));
for (const blanks of [0, 1, 2]) {
  const spelledHeader = withStrayBits(unpadded(HEADER, blanks));
  const spelledPayload = withStrayBits(unpadded(claims, blanks));
  if (spelledHeader !== undefined) {
    assertMalformed(
      `a header with stray bits at its end (${blanks})`,
      signed(`${spelledHeader}.${payload}`),
      /header/,
    );
  }
  if (spelledPayload !== undefined) {
    assertMalformed(
      `a payload with stray bits at its end (${blanks})`,
      signed(`${header}.${spelledPayload}`),
      /payload/,
    );
  }
}
assertMalformed(
  "a signature with stray bits at its end",
  `${header}.${payload}.${withStrayBits(signature)}`,
  /signature/,
);

// The header.
for (
  const [what, header] of [
    ["that is not JSON", "alg=HS256,typ=CXG"],
    ["with a byte order mark", `\ufeff${HEADER}`],
    ["that is an array", `[${HEADER}]`],
    ["that is null", "null"],
    ["that is a string", '"HS256"'],
    ["that is empty", "{}"],
    ["with alg none", '{"alg":"none","typ":"CXG"}'],
    ["with alg HS512", '{"alg":"HS512","typ":"CXG"}'],
    ["with alg in lower case", '{"alg":"hs256","typ":"CXG"}'],
    ["with alg null", '{"alg":null,"typ":"CXG"}'],
    ["with alg in an array", '{"alg":["HS256"],"typ":"CXG"}'],
    ["with its names in capitals", '{"ALG":"HS256","TYP":"CXG"}'],
    ["without alg", '{"typ":"CXG"}'],
    ["without typ", '{"alg":"HS256"}'],
    ["with typ JWT", '{"alg":"HS256","typ":"JWT"}'],
    ["with typ in lower case", '{"alg":"HS256","typ":"cxg"}'],
    ["whose alg and typ are a prototype's", '{"__proto__":{"alg":"HS256","typ":"CXG"}}'],
  ] as const
) assertMalformed(`a header ${what}`, craft(claims, { header }), /header/);
assertMalformed(
  "a header that is not UTF-8",
  craft(claims, {
    header: Buffer.from([...Buffer.from('{"alg":"HS256","typ":"CXG","x":"'), 0xff]),
  }),
  /header/,
);

// The payload as a whole.
for (
  const [what, payload] of [
    ["that is not JSON", "turn_id=turn_1"],
    ["that is cut short", claims.slice(0, -1)],
    ["with more after it", `${claims}{}`],
    ["with a byte order mark", `\ufeff${claims}`],
    ["that is an array", `[${claims}]`],
    ["that is null", "null"],
    ["that is a number", "1"],
    ["that is a string", JSON.stringify(claims)],
    ["whose fields are a prototype's", `{"__proto__":${claims}}`],
    ["that is empty", "{}"],
  ] as const
) assertMalformed(`a payload ${what}`, craft(payload));
assertMalformed(
  "a payload that is not UTF-8",
  craft(
    Buffer.concat([
      Buffer.from(claims.slice(0, 14)),
      Buffer.from([0xc3, 0x28]),
      Buffer.from(claims.slice(14)),
    ]),
  ),
  /payload/,
);

// Each field. `undefined` leaves it out.
const wrong: Record<keyof typeof CLAIMS, unknown[]> = {
  turn_id: [undefined, null, "", 1, true, ["turn_1"], {}],
  workspace_id: [null, 1, true, ["ws_1"], {}],
  exe_ids: ["exe_1", 1, {}, { 0: "exe_1", length: 1 }, ["exe_1", 2], [null], [[
    "exe_1",
  ]]],
  iat: [null, "1", true, 1.5, [], {}, 1e300, 2 ** 53],
  exp: [
    1_900_000_000_000,
    undefined,
    null,
    "",
    "1900000000",
    true,
    1_900_000_000.5,
    [],
    {},
    1e300,
    2 ** 63,
    -1e300,
  ],
};
for (const [field, values] of Object.entries(wrong)) {
  for (const value of values) {
    assertMalformed(
      `${field} ${value === undefined ? "absent" : JSON.stringify(value)}`,
      tokenWith({ [field]: value }),
      new RegExp(`\\b${field}\\b`),
    );
  }
}
assertMalformed("an exp beyond every number", craft(claims.replace(/"exp":\d+/, '"exp":1e999')));
assertMalformed("an exp that is NaN", craft(claims.replace(/"exp":\d+/, '"exp":NaN')));

/** The same bytes in a spelling that is not canonical, if the text has bits to spare. */
function withStrayBits(text: string): string | undefined {
  if (text.length % 4 === 0) return undefined;
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const spoilt = text.slice(0, -1) + alphabet[alphabet.indexOf(text.at(-1)!) + 1];
  assert.deepEqual(Buffer.from(spoilt, "base64url"), Buffer.from(text, "base64url"));
  return spoilt;
}
