import assert from "node:assert/strict";
import { dialIn, greet, openBridge } from "../support/exclusive.ts";
import { onAnyDatabase } from "../support/databases.ts";
import { until } from "../support/websocket.ts";
import { GatewayProcess } from "../support/gateway_process.ts";

/** A workspace id that makes a log line long: the fewer calls are needed. */
const LONG = "𝒲".repeat(60);

onAnyDatabase(
  "a log that nobody reads stops nothing, and what it lost is said",
  async (options) => {
    await using gateway = await GatewayProcess.start(options);
    const executor = await gateway.createExecutor();
    await using machine = await dialIn(gateway, executor);
    await using harness = await openBridge(gateway, executor.exe_id);
    await greet(harness, machine);
    gateway.stopReadingLog();
    const path = `/api/codex-exec/workspaces/${encodeURIComponent(LONG)}/executors`;
    const bind = async () => {
      const answer = await gateway.call("POST", path, { exe_id: executor.exe_id });
      await answer.body?.cancel();
      assert.equal(answer.status, 201);
    };
    const dropped = () => gateway.metric("cxg_log_lines_dropped_total");
    // A pipe's 64 KiB, what the reader has taken ahead, and then the queue.
    for (let i = 0; await dropped() === 0; i++) {
      assert.ok(i < 200, "no line was dropped though none was read");
      await Promise.all(Array.from({ length: 50 }, bind));
    }
    harness.send("is anybody there?");
    assert.equal(await machine.next(), "is anybody there?");
    const lost = await dropped();
    gateway.readLogOn();
    await until("the gap is named", () => gateway.log.includes("log lines were dropped"));
    gateway.kill("SIGTERM");
    assert.equal(await gateway.exited, 0);
    const records = gateway.log.trimEnd().split("\n").map((line) => JSON.parse(line));
    const said = records.filter(({ message }) => message.startsWith("log lines were dropped"))
      .map(({ dropped }) => dropped);
    assert.ok(said.reduce((sum, n) => sum + n) >= lost, `${said} of ${lost}`);
    assert.equal(records.at(-1).message, "stopped");
  },
);
