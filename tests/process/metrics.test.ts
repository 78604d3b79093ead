import assert from "node:assert/strict";
import program from "../../deno.json" with { type: "json" };
import { onAnyDatabase } from "../support/databases.ts";
import { GatewayProcess } from "../support/gateway_process.ts";

onAnyDatabase("the metrics tell of the process what the system does", async (store) => {
  const before = Date.now() / 1000;
  await using gateway = await GatewayProcess.start(store);
  const after = Date.now() / 1000;

  const startedAt = await gateway.metric("process_start_time_seconds");
  assert.ok(before <= startedAt && startedAt <= after, `${before} ${startedAt} ${after}`);

  // Each is read between two readings of the system's, whose CPU time is in hundredths.
  const [cpuBefore, residentBefore] = [await gateway.cpuSeconds(), await gateway.residentBytes()];
  const cpu = await gateway.metric("process_cpu_seconds_total");
  const resident = await gateway.metric("process_resident_memory_bytes");
  const cpuAfter = await gateway.cpuSeconds();
  assert.ok(cpuBefore - 0.02 <= cpu && cpu <= cpuAfter + 0.02, `${cpuBefore} ${cpu} ${cpuAfter}`);
  assert.ok(cpu > 0);
  assert.ok(resident > residentBefore / 2 && resident < residentBefore * 2, `${resident}`);

  const { version } = program;
  const labels = `version="${version}",deno="${Deno.version.deno}"`;
  assert.equal(await gateway.metric(`cxg_build_info{${labels}}`), 1);
});
