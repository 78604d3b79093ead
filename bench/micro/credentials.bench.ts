import { mintCapabilityToken, verifyCapabilityToken } from "../../src/auth/capability_token.ts";
import { deriveTickets } from "../../src/auth/tickets.ts";

const secret = new TextEncoder().encode("bench-captoken-hmac-secret-0123456789");
const exp = Math.floor(Date.now() / 1000) + 86_400;
const claims = { turn_id: `turn_${crypto.randomUUID()}`, workspace_id: "ws_bench" };
const exe_id = `exe_${crypto.randomUUID()}`;
const registration_id = `reg_${crypto.randomUUID()}`;
const token = await mintCapabilityToken({ ...claims, exe_ids: [exe_id], iat: exp, exp }, secret);
const tickets = await deriveTickets(secret);
const payload = {
  ...claims,
  ticket_id: crypto.randomUUID(),
  exe_id,
  registration_id,
  exp,
  iat: exp,
  token_exp: exp,
  by_workspace: false,
};
const harnessTicket = await tickets.harness.seal(payload);
const executorTicket = await tickets.executor.seal({ exe_id, registration_id, kind: "relay" });

Deno.bench("capability token, verified", { group: "credentials", baseline: true }, async () => {
  await verifyCapabilityToken(token, secret);
});

Deno.bench("harness ticket, opened", { group: "credentials" }, async () => {
  await tickets.harness.open(harnessTicket);
});

Deno.bench("harness ticket, sealed", { group: "credentials" }, async () => {
  await tickets.harness.seal(payload);
});

Deno.bench("executor ticket, opened", { group: "credentials" }, async () => {
  await tickets.executor.open(executorTicket);
});
