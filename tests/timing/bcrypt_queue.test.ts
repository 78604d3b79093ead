import assert from "node:assert/strict";
import { dialIn, greet, openBridge } from "../support/exclusive.ts";
import { gatewayTest, type TestGateway } from "../support/gateway.ts";
import type { Peer } from "../support/websocket.ts";

gatewayTest("a running bridge does not feel fifty wrong tokens being checked", async (gateway) => {
  const executor = await gateway.createExecutor();
  await using machine = await dialIn(gateway, executor);
  await using harness = await openBridge(gateway, executor.exe_id);
  await greet(harness, machine);

  const idle = await roundTrips(harness, machine, () => false, 200);
  let checked = 0;
  const checks = Promise.all(Array.from({ length: 50 }, async () => {
    const response = await wrongToken(gateway, executor.exe_id);
    checked++;
    await response.body?.cancel();
    return response.status;
  }));
  const busy = await roundTrips(harness, machine, () => checked === 50, 10_000);
  assert.deepEqual(await checks, Array(50).fill(401));
  assert.ok(busy.length > 500, `only ${busy.length} round trips during the checks`);
  // A check on the frame thread would hold a round trip for its 60 ms and more. The median is
  // robust against the machine's own noise, the 99th percentile shows a thread that stalls.
  assert.ok(percentile(busy, 0.5) < Math.max(3 * percentile(idle, 0.5), 2), describe(idle, busy));
  assert.ok(percentile(busy, 0.99) < 30, describe(idle, busy));
});

gatewayTest("a full queue answers 503 with Retry-After, and service goes on", async (gateway) => {
  const { exe_id } = await gateway.createExecutor();
  const responses = await Promise.all(
    Array.from({ length: 12 }, () => wrongToken(gateway, exe_id)),
  );
  const statuses = responses.map(({ status }) => status);
  assert.ok(statuses.includes(503), `${statuses}`);
  assert.ok(statuses.includes(401), `${statuses}`);
  for (const response of responses) {
    if (response.status === 503) assert.match(response.headers.get("retry-after")!, /^[1-9]\d*$/);
    await response.body?.cancel();
  }
  const later = await wrongToken(gateway, exe_id);
  assert.equal(later.status, 401);
  await later.body?.cancel();
}, { maxWaitingChecks: 4 });

gatewayTest("an unknown executor takes as long as a wrong token", async (gateway) => {
  const { exe_id } = await gateway.createExecutor();
  const time = async (exeId: string) => {
    const started = performance.now();
    await (await wrongToken(gateway, exeId)).body?.cancel();
    return performance.now() - started;
  };
  await time(exe_id);
  const known: number[] = [];
  const unknown: number[] = [];
  for (let i = 0; i < 9; i++) {
    known.push(await time(exe_id));
    unknown.push(await time("exe_none"));
  }
  const ratio = percentile(unknown, 0.5) / percentile(known, 0.5);
  assert.ok(ratio > 0.7 && ratio < 1.4, `unknown / wrong = ${ratio}`);
});

function wrongToken(gateway: TestGateway, exeId: string): Promise<Response> {
  return fetch(`${gateway.url}/cloud/executor/${exeId}/register`, {
    method: "POST",
    headers: { authorization: `Bearer ${"0".repeat(64)}` },
  });
}

/** Round trips one after another, in milliseconds each, until `done` or `most` of them. */
async function roundTrips(
  harness: Peer,
  machine: Peer,
  done: () => boolean,
  most: number,
): Promise<number[]> {
  const times: number[] = [];
  while (!done() && times.length < most) {
    const started = performance.now();
    harness.send("ping");
    await machine.next();
    machine.send("pong");
    await harness.next();
    times.push(performance.now() - started);
  }
  return times;
}

function percentile(times: number[], p: number): number {
  return times.toSorted((a, b) => a - b)[Math.floor((times.length - 1) * p)]!;
}

function describe(idle: number[], busy: number[]): string {
  const figures = (times: number[]) =>
    `p50 ${percentile(times, 0.5).toFixed(2)} ms, p99 ${percentile(times, 0.99).toFixed(2)} ms`;
  return `idle ${figures(idle)}; during the checks ${figures(busy)}`;
}
