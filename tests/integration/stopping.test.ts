/**
 * What a gateway that stops says to those who come before its port has closed (issue 10, item 9).
 *
 * @module
 */
import assert from "node:assert/strict";
import { dialIn, untilGone } from "../support/exclusive.ts";
import { gatewayTest } from "../support/gateway.ts";
import { RawSocket } from "../support/raw_socket.ts";
import {
  askToConnect,
  connectOk,
  dialInAsNoise,
  NOISE_REGISTRATION,
  register,
  validate,
} from "../support/relay.ts";
import { handshake, settled } from "../support/websocket.ts";

const RESTARTING = "the gateway is restarting; try again in a second";

/** Looked at often, and long enough for any machine: the port closes as soon as the last peer has gone. */
const PORT_CLOSES_AFTER_MS = Array.from({ length: 1_200 }, (_, i) => 100 * i);

gatewayTest("one that stops joins nobody, and answers to the end", async (gateway) => {
  const executor = await gateway.createExecutor();
  const machine = await dialInAsNoise(gateway, executor);
  const bundle = await connectOk(gateway, executor);
  const { url: executorUrl } = await register(gateway, executor, NOISE_REGISTRATION);
  const absent = await gateway.createExecutor();
  await (await dialIn(gateway, absent)).close();
  await untilGone(gateway, absent.exe_id);
  // One that is told to go and does not: it keeps the port open for as long as the test needs it.
  const hung = await gateway.createExecutor();
  using peer = await RawSocket.open(
    gateway.port,
    `/codex-exec/${hung.exe_id}`,
    hung.registration_token,
  );
  const held = askToConnect(gateway, absent.exe_id);
  assert.ok(!await settled(held, 300), "an executor on its way back is waited for");

  const stopped = gateway.stop();
  assert.deepEqual(await machine.closed, { code: 1012, reason: "gateway is restarting" });

  for (const answer of [await held, await askToConnect(gateway, executor.exe_id)]) {
    assert.equal(answer.status, 503);
    assert.equal(answer.headers.get("retry-after"), "1");
    assert.match(answer.headers.get("connection") ?? "", /^close/);
    assert.deepEqual(await answer.json(), {
      error: { code: "unavailable", message: RESTARTING },
    });
  }
  for (const url of [bundle.url, executorUrl]) {
    const { status, headers, body } = await handshake(url);
    assert.equal(status, 503);
    assert.equal(headers["retry-after"], "1");
    assert.deepEqual(JSON.parse(body), { error: RESTARTING });
  }
  assert.equal((await gateway.call("GET", "/readyz")).status, 503);
  // A failed register call ends the process of a released executor.
  assert.ok((await register(gateway, executor, NOISE_REGISTRATION)).url);
  assert.ok((await register(gateway, executor)).url);
  assert.equal(typeof await validate(gateway, executor, bundle), "boolean");
  assert.equal((await gateway.call("GET", "/healthz")).status, 200);
  const api = await gateway.call("GET", "/api/exec-gateway/connected?workspace_id=ws_test");
  assert.equal(api.status, 200);
  assert.equal(api.headers.get("connection"), "close");

  peer[Symbol.dispose]();
  await stopped;
  await assert.rejects(gateway.call("GET", "/healthz"), "the port is closed");
}, { portClosesAfterMs: PORT_CLOSES_AFTER_MS });
