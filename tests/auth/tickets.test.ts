import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHmac, hkdfSync } from "node:crypto";
import { MalformedTokenError, verifyCapabilityToken } from "../../src/auth/capability_token.ts";
import { deriveHmacKey, hmacKey, sign, verify } from "../../src/auth/hmac.ts";
import { deriveTickets, type ExecutorTicket } from "../../src/auth/tickets.ts";
import { base64url, SECRET, tokenWith } from "./crafted.ts";

const TICKET: ExecutorTicket = {
  exe_id: "exe_1",
  registration_id: "reg_1",
  kind: "exclusive",
};

Deno.test("a ticket opens to what was minted, and says no more", async () => {
  const tickets = await deriveTickets(SECRET);
  for (const kind of ["exclusive", "relay", "noise"] as const) {
    const text = await tickets.executor.seal({ ...TICKET, kind });
    assert(tickets.executor.looksLike(text));
    assert.deepEqual(await tickets.executor.open(text), { ...TICKET, kind });
  }
});

Deno.test("a ticket names its executor: that of another one opens to another id", async () => {
  const tickets = await deriveTickets(SECRET);
  const other = await tickets.executor.seal({ ...TICKET, exe_id: "exe_2" });
  assert.equal((await tickets.executor.open(other))?.exe_id, "exe_2");
  assert.notEqual(other, await tickets.executor.seal(TICKET));
});

Deno.test("a ticket needs no escaping in a URL", async () => {
  const text = await (await deriveTickets(SECRET)).executor.seal(TICKET);
  assert.equal(encodeURIComponent(text), text);
});

Deno.test("a gateway that starts again with the same secret opens its tickets", async () => {
  const text = await (await deriveTickets(SECRET)).executor.seal(TICKET);
  assert.deepEqual(await (await deriveTickets(SECRET)).executor.open(text), TICKET);
});

Deno.test("a ticket of another secret does not open", async () => {
  const other = await deriveTickets(new TextEncoder().encode("another"));
  const text = await other.executor.seal(TICKET);
  assert.equal(await (await deriveTickets(SECRET)).executor.open(text), undefined);
});

Deno.test("with one bit of its payload or signature changed, a ticket does not open", async () => {
  const tickets = await deriveTickets(SECRET);
  const parts = (await tickets.executor.seal(TICKET)).split(".");
  for (const index of [1, 2]) {
    const bytes = Buffer.from(parts[index]!, "base64url");
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      const text = parts.with(index, base64url(changed)).join(".");
      assert.equal(await tickets.executor.open(text), undefined, `bit ${bit}`);
    }
  }
});

Deno.test("what is not of a ticket's form does not open", async () => {
  const tickets = await deriveTickets(SECRET);
  const good = await tickets.executor.seal(TICKET);
  const [prefix, payload, signature] = good.split(".");
  for (
    const text of [
      "",
      "cxgx",
      "cxgx.",
      "cxgx..",
      `${prefix}.${payload}`,
      `${prefix}.${payload}.`,
      `${prefix}..${signature}`,
      `${good}.`,
      `${good}.${signature}`,
      `${good}=`,
      `${good}\n`,
      ` ${good}`,
      `${prefix}.${payload}=.${signature}`,
      `${payload}.${signature}`,
      `CXGX.${payload}.${signature}`,
      `${prefix}.${payload}.${signature?.slice(0, -1)}`,
    ]
  ) assert.equal(await tickets.executor.open(text), undefined, JSON.stringify(text));
});

Deno.test("a ticket signed with the secret itself does not open", async () => {
  const payload = base64url(JSON.stringify(TICKET));
  const signature = createHmac("sha256", SECRET).update(payload).digest("base64url");
  const tickets = await deriveTickets(SECRET);
  assert.equal(await tickets.executor.open(`cxgx.${payload}.${signature}`), undefined);
});

Deno.test("a capability token is no ticket", async () => {
  const tickets = await deriveTickets(SECRET);
  const token = tokenWith();
  assert(!tickets.executor.looksLike(token));
  assert.equal(await tickets.executor.open(token), undefined);
  assert.equal(await tickets.executor.open(`cxgx.${token}`), undefined);
  const [, payload, signature] = token.split(".");
  assert.equal(await tickets.executor.open(`cxgx.${payload}.${signature}`), undefined);
});

Deno.test("a ticket is no capability token", async () => {
  const text = await (await deriveTickets(SECRET)).executor.seal(TICKET);
  await assert.rejects(verifyCapabilityToken(text, SECRET), MalformedTokenError);
});

Deno.test("each kind of ticket opens as that kind only, whatever its prefix says", async () => {
  const { executor, harness, keyAuthorization } = await deriveTickets(SECRET);
  const kinds = [executor, harness, keyAuthorization];
  const prefixes = ["cxgx", "cxgh", "cxga"];
  for (const [i, kind] of kinds.entries()) {
    const text = await (kind as typeof executor).seal(TICKET);
    assert.equal(text.split(".")[0], prefixes[i]);
    for (const [j, other] of kinds.entries()) {
      const dressed = [prefixes[j], ...text.split(".").slice(1)].join(".");
      assert.equal(await other.open(dressed) !== undefined, i === j, `${i} as ${j}`);
    }
  }
});

Deno.test("a key is derived by HKDF: what Node derives and signs, it verifies", async () => {
  const bytes = Buffer.from(hkdfSync("sha256", SECRET, "", "some label", 32));
  const signature = createHmac("sha256", bytes).update("some text").digest();
  const key = await deriveHmacKey(SECRET, "some label");
  assert.deepEqual(Buffer.from(await sign(key, "some text")), signature);
  assert(await verify(key, new Uint8Array(signature), "some text"));
});

Deno.test("a key for another label, or the secret itself, signs differently", async () => {
  const key = await deriveHmacKey(SECRET, "one purpose");
  const signature = await sign(key, "some text");
  assert(!await verify(await deriveHmacKey(SECRET, "another purpose"), signature, "some text"));
  assert(!await verify(await hmacKey(SECRET), signature, "some text"));
  assert(!await verify(key, signature, "some text "));
});
