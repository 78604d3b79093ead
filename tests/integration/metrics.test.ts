import assert from "node:assert/strict";
import { noteSecret } from "../support/evidence.ts";
import { dialIn, greet, openBridge } from "../support/exclusive.ts";
import { gatewayTest, SECRETS, switchboardTest, type TestGateway } from "../support/gateway.ts";
import { claim, dialInAsRelay, frame, openRelayBridge } from "../support/relay.ts";
import { handshake, until } from "../support/websocket.ts";

gatewayTest("what goes on is counted, in the Prometheus format", async (gateway) => {
  const exclusive = await gateway.createExecutor();
  const relay = await gateway.createExecutor();
  await using text = await dialIn(gateway, exclusive);
  await using relayed = await dialInAsRelay(gateway, relay);
  text.send("to nobody");
  await using harness = await openBridge(gateway, exclusive.exe_id);
  await greet(harness, text);
  text.send("x".repeat(1000));
  await harness.next();
  await using other = await openRelayBridge(gateway, relay.exe_id);
  await claim(other, relayed, "stream-1");
  await claim(other, relayed, "stream-2");
  const claims = 2 * frame("stream-1", "resume").length;
  other.send(frame("stream-never", "data"));
  const refused = await handshake(`${gateway.wsUrl}/bridge/${relay.exe_id}?token=bad`);
  assert.equal(refused.status, 401);

  await until("all of it is counted", async () => {
    const samples = await scrape(gateway);
    return samples.get('cxg_dropped_frames_total{reason="unclaimed_stream"}') === 1;
  });
  const samples = await scrape(gateway);
  const expected = {
    'cxg_executors{kind="exclusive"}': 1,
    'cxg_executors{kind="relay"}': 1,
    'cxg_executors{kind="noise"}': 0,
    "cxg_bridges": 2,
    "cxg_streams": 2,
    "cxg_buffered_bytes": 0,
    'cxg_frames_total{to="executor"}': 3,
    'cxg_frames_total{to="harness"}': 1,
    'cxg_frame_bytes_total{to="executor"}': "hello".length + claims,
    'cxg_frame_bytes_total{to="harness"}': 1000,
    'cxg_dropped_frames_total{reason="no_bridge"}': 1,
    'cxg_refusals_total{route="/bridge/:exe_id",status="401",reason="token_malformed"}': 1,
    "cxg_bcrypt_waiting": 0,
    "cxg_store_errors_total": 0,
  };
  for (const [name, value] of Object.entries(expected)) {
    assert.equal(samples.get(name), value, name);
  }
  assert.ok(samples.get("cxg_store_queries_total")! > 5);
  assert.ok(samples.get("cxg_store_query_seconds_total")! > 0);
});

gatewayTest("nobody reads the counters without the secret", async (gateway) => {
  const refused = await fetch(`${gateway.url}/metrics`);
  assert.equal(refused.status, 401);
  await refused.body?.cancel();
});

/** The samples by name and labels. */
async function scrape(gateway: TestGateway): Promise<Map<string, number>> {
  const response = await fetch(`${gateway.url}/metrics`, {
    headers: { authorization: `Bearer ${SECRETS.shared}` },
  });
  assert.equal(response.status, 200);
  assert.match(response.headers.get("content-type")!, /^text\/plain; version=0\.0\.4/);
  const lines = (await response.text()).split("\n");
  return new Map(
    lines.filter((line) => line !== "" && !line.startsWith("#")).map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

const OWN = "metrics-secret-0123456789abcdefghij";

switchboardTest("a secret for the metrics opens them, and nothing else", async (gateway) => {
  const status = async (path: string, secret: string) => {
    const answer = await fetch(gateway.url + path, {
      headers: { authorization: `Bearer ${secret}` },
    });
    await answer.body?.cancel();
    return answer.status;
  };
  noteSecret("configured", OWN);
  assert.equal(await status("/metrics", OWN), 200);
  assert.equal(await status("/metrics", SECRETS.shared), 200);
  assert.equal(await status("/metrics", SECRETS.internal), 401);
  assert.equal(await status("/api/exec-gateway/connected?workspace_id=w", OWN), 401);
  assert.equal(await status("/api/codex-exec/workspaces/w/executors", OWN), 401);
}, { metricsSecret: OWN });
