import assert from "node:assert/strict";
import * as endings from "../../src/switchboard/close_codes.ts";

const all = Object.entries(endings);

Deno.test("there are endings", () => {
  assert(all.length >= 7);
});

for (const [name, { code, reason }] of all) {
  Deno.test(`${name} can be sent in a close frame`, () => {
    // RFC 6455 sections 5.5 and 7.4: a control frame's payload is at most 125 bytes, of which the code
    // takes two; 1004 to 1006 and 1015 are never sent, and what is below 1000 is not used.
    const bytes = new TextEncoder().encode(reason).length;
    assert(bytes > 0 && bytes <= 123, `the reason has ${bytes} bytes`);
    const reserved = [1004, 1005, 1006, 1015].includes(code);
    const assigned = code >= 1000 && code <= 1014 && !reserved;
    assert(assigned || (code >= 3000 && code <= 4999), `${code} may not be sent`);
  });
}

Deno.test("a gateway that stops says so with 1012, service restart", () => {
  assert.equal(endings.GATEWAY_STOPPING.code, 1012);
});
