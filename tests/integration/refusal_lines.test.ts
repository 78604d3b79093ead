/**
 * The line that each refusal leaves in the log, and how many there are of one address.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { LogRecord } from "@logtape/logtape";
import { newRegistrationToken } from "../../src/auth/registration_tokens.ts";
import { RefusalLog } from "../../src/http/refusal_log.ts";
import { onAnyDatabase } from "../support/databases.ts";
import { gatewayTest, startGateway, type TestGateway } from "../support/gateway.ts";
import { CapturedLogs } from "../support/logs.ts";
import { until } from "../support/websocket.ts";

/** Behind a proxy, so that a test can come from any address. */
const PROXIED = { trustedProxies: ["127.0.0.1"] };

const LEFT_OUT = "refusals left out of the log: too many from one address";

gatewayTest(
  "a refusal leaves a line that says whom it was about, and a sample",
  async (gateway) => {
    const { exe_id, registration_token } = await gateway.createExecutor();
    const turn_id = "turn_refused";
    const token = await gateway.capToken(exe_id, { turn_id });
    const old = await gateway.capToken(exe_id, { turn_id, exp: 1_000_000_000 });
    const nobodys = await gateway.capToken("exe_none", { turn_id });
    const connect = (id: string, bearer?: string) =>
      refuse(gateway, `/cloud/environment/${id}/connect`, bearer);
    const register = (id: string, bearer: string) =>
      refuse(gateway, `/cloud/environment/${id}/register`, bearer);
    const CONNECT = "/cloud/environment/:exe_id/connect";
    const REGISTER = "/cloud/environment/:exe_id/register";
    const cases: [() => Promise<void>, string, Record<string, unknown>][] = [
      [() => connect(exe_id), "info", refusedBy(CONNECT, 401, "token_missing", exe_id)],
      [
        // What its payload says is nobody's word.
        () => connect(exe_id, `${token.slice(0, -8)}AAAAAAAA`),
        "info",
        refusedBy(CONNECT, 401, "wrong_token_signature", exe_id),
      ],
      [
        () => connect(exe_id, old),
        "info",
        refusedBy(CONNECT, 401, "token_expired", exe_id, turn_id),
      ],
      [
        () => connect(exe_id, nobodys),
        "info",
        refusedBy(CONNECT, 403, "token_other_executor", exe_id, turn_id),
      ],
      [
        () => refuse(gateway, "/bridge/exe_none", nobodys),
        "info",
        refusedBy("/bridge/:exe_id", 503, "unknown_executor", "exe_none", turn_id),
      ],
      [
        () => refuse(gateway, `/bridge/${exe_id}`, token),
        "info",
        refusedBy("/bridge/:exe_id", 503, "not_connected", exe_id, turn_id),
      ],
      [
        () => register(exe_id, newRegistrationToken()),
        "warning",
        refusedBy(REGISTER, 401, "wrong_registration_token", exe_id),
      ],
      [
        () => register("exe_none", registration_token),
        "info",
        refusedBy(REGISTER, 401, "unknown_executor", "exe_none"),
      ],
      [
        // Not whole: it might be a credential that somebody put in the wrong place.
        () => register(registration_token, "x"),
        "info",
        refusedBy(REGISTER, 401, "unknown_executor", `${registration_token.slice(0, 47)}…`),
      ],
      [
        () => refuse(gateway, "/metrics", "wrong"),
        "info",
        refusedBy("/metrics", 401, "wrong_internal_secret"),
      ],
      [() => refuse(gateway, "/metrics"), "info", refusedBy("/metrics", 401, "secret_missing")],
      [() => refuse(gateway, "/nothing"), "info", refusedBy("none", 404, "not_found")],
      [() => refuse(gateway, "/x%5cy"), "info", refusedBy("none", 400, "bad_target")],
    ];
    for (const [ask, level, fields] of cases) {
      using logs = new CapturedLogs();
      await ask();
      const [line, ...more] = refusals(logs);
      assert.deepEqual({ level: line?.level, ...line?.properties }, { level, ...fields });
      assert.deepEqual(more, []);
    }
    for (const [, , { route, status, reason }] of cases) {
      const labels = `route="${route}",status="${status}",reason="${reason}"`;
      assert.ok(await gateway.metric(`cxg_refusals_total{${labels}}`) >= 1);
    }
  },
);

onAnyDatabase("one address gets so many lines, and the rest is counted", async (store) => {
  using logs = new CapturedLogs();
  {
    await using gateway = await startGateway(store, PROXIED);
    const ask = (path: string, from: string) => refuse(gateway, path, "x", from);
    for (let i = 0; i < 50; i++) await ask("/bridge/exe_loops", "192.0.2.1");
    // Its neighbour behind the same address still leaves a trace, and so does everybody else.
    for (const from of ["192.0.2.1", "192.0.2.2"]) await ask("/bridge/exe_other", from);
    for (let i = 0; i < 100; i++) await ask(`/bridge/exe_${i}`, "192.0.2.1");
  }
  const lines = refusals(logs).map(({ properties }) => [properties.remote, properties.exe_id]);
  const of = (from: string, exeId?: string) =>
    lines.filter(([remote, id]) => remote === from && (exeId ?? id) === id).length;
  assert.deepEqual(
    [of("192.0.2.1", "exe_loops"), of("192.0.2.1", "exe_other"), of("192.0.2.2"), of("192.0.2.1")],
    [5, 1, 1, 60],
  );
  assert.deepEqual(logs.fieldsOf(LEFT_OUT), { remote: "192.0.2.1", left_out: 151 - 60 });
});

Deno.test("what was left out is said a while after, however quiet it is then", async () => {
  using logs = new CapturedLogs();
  using lines = new RefusalLog(1);
  const refused = {
    route: "/bridge/:exe_id",
    status: 503,
    reason: "not_connected",
    subject: { exeId: "exe_a" },
    remote: "192.0.2.1",
    source: "192.0.2.1",
  } as const;
  for (let i = 0; i < 7; i++) lines.write(refused);
  await until("it is said", () => logs.fieldsOf(LEFT_OUT) !== undefined);
  assert.deepEqual(logs.fieldsOf(LEFT_OUT), { remote: "192.0.2.1", left_out: 2 });
});

function refusedBy(
  route: string,
  status: number,
  reason: string,
  exe_id?: string,
  turn_id?: string,
) {
  return { route, status, reason, exe_id, turn_id, remote: "127.0.0.1" };
}

function refusals(logs: CapturedLogs): LogRecord[] {
  return logs.records.filter(({ message }) => message.join("") === "refused");
}

/** Asks for what is refused: a websocket where there is one. */
async function refuse(
  gateway: TestGateway,
  path: string,
  bearer?: string,
  from = "127.0.0.1",
): Promise<void> {
  const response = await fetch(gateway.url + path, {
    method: path.startsWith("/cloud/") ? "POST" : "GET",
    headers: {
      ...bearer !== undefined && { authorization: `Bearer ${bearer}` },
      "x-forwarded-for": from,
    },
  });
  await response.body?.cancel();
  assert.ok(response.status >= 400);
}
