import assert from "node:assert/strict";
import { Gateway, runCli, TempDir } from "../support/process.ts";
import { RawSocket } from "../support/raw_socket.ts";

/** What it says when a part of its stopping took too long. */
const WAITED = "stopping without waiting longer";

const RESTARTING = { code: 1012, reason: "gateway is restarting" };

Deno.test("SIGTERM says good-bye to each peer, waits for none too long, and loses no executor", async () => {
  await using dir = await TempDir.withDatabase();
  let polite: Credentials, hung: Credentials;
  {
    await using gateway = await Gateway.start(dir.path);
    polite = await addExecutor(dir);
    hung = await addExecutor(dir);
    const executor = await dial(gateway, polite);
    using peer = await openHungExecutor(gateway, hung);
    peer.stopReading();
    const harness = await openWebSocket(
      gateway.ws(`/bridge/${polite.exeId}?token=${await mintToken(dir, polite.exeId)}`),
    );

    gateway.signal("SIGTERM");
    assert.deepEqual(await executor.closed, RESTARTING);
    assert.deepEqual(await harness.closed, RESTARTING);
    await assertCleanExit(gateway);
    assert.ok(gateway.records.some(({ reason }) => reason === "peers did not close"));
  }
  {
    await using gateway = await Gateway.start(dir.path);
    const listed = await listExecutors(dir);
    assert.deepEqual(listed.map((e) => [e.exe_id, e.connected]), [
      [polite.exeId, false],
      [hung.exeId, false],
    ]);
    for (const { last_seen_at } of listed) {
      assert(Date.now() - Date.parse(last_seen_at!) < 60_000, "that it was connected is kept");
    }
    const executor = await dial(gateway, polite);
    gateway.signal("SIGINT");
    assert.deepEqual(await executor.closed, RESTARTING);
    // All have answered, so that nothing is left to wait for.
    await assertCleanExit(gateway);
    assert.ok(!gateway.records.some(({ message }) => message === WAITED));
  }
});

Deno.test({
  name:
    "Ctrl+C, which a terminal sends to the whole process group, stops the gateway as SIGINT does",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await TempDir.withDatabase();
    await using gateway = await Gateway.start(dir.path, {}, { ownGroup: true });
    const executor = await dial(gateway, await addExecutor(dir));
    gateway.signal("SIGINT", { toGroup: true });
    assert.deepEqual(await executor.closed, RESTARTING);
    await assertCleanExit(gateway);
  },
});

Deno.test("who signals again need not wait: the gateway ends at once", async () => {
  await using dir = await TempDir.withDatabase();
  await using gateway = await Gateway.start(dir.path);
  using peer = await openHungExecutor(gateway, await addExecutor(dir));
  peer.stopReading();
  gateway.signal("SIGTERM");
  await gateway.record("stopping");
  // As an impatient person does, who does not stop at the second.
  const again = setInterval(() => {
    try {
      gateway.signal("SIGTERM");
    } catch {
      // It has ended, and what waits for that has not been told yet.
    }
  }, 250);
  const { code } = await gateway.exited.finally(() => clearInterval(again));
  assert.equal(code, 130);
});

interface Credentials {
  exeId: string;
  token: string;
}

async function cli(dir: TempDir, ...words: string[]) {
  const { code, stdout, stderr } = await runCli(dir.path, [...words, "--json"]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

async function addExecutor(dir: TempDir): Promise<Credentials> {
  const words = ["executor", "add", "--name", "n", "--workspace", "ws_1"];
  const { exe_id, registration_token } = await cli(dir, ...words);
  return { exeId: exe_id, token: registration_token };
}

interface Listed {
  exe_id: string;
  connected: boolean;
  last_seen_at?: string;
}

async function listExecutors(dir: TempDir): Promise<Listed[]> {
  return await cli(dir, "executor", "list", "--workspace", "ws_1");
}

async function mintToken(dir: TempDir, exeId: string): Promise<string> {
  return (await cli(dir, "token", "mint", "--workspace", "ws_1", "--exe", exeId)).token;
}

/** An executor's websocket, once the gateway has it. */
async function dial(gateway: Gateway, { exeId, token }: Credentials) {
  const executor = await openWebSocket(gateway.ws(`/codex-exec/${exeId}?token=${token}`));
  await gateway.record("executor connected", exeId);
  return executor;
}

/** An executor that reads what it is asked to, and never answers. */
async function openHungExecutor(gateway: Gateway, { exeId, token }: Credentials) {
  const port = Number(new URL(gateway.url).port);
  const peer = await RawSocket.open(port, `/codex-exec/${exeId}`, token);
  await gateway.record("executor connected", exeId);
  return peer;
}

/** A websocket that is open, and how it ends. */
async function openWebSocket(url: string) {
  const socket = new WebSocket(url);
  const opened = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  socket.onopen = () => opened.resolve();
  socket.onclose = ({ code, reason }) => {
    closed.resolve({ code, reason });
    opened.reject(new Error(`closed before it was open: ${code}`));
  };
  await opened.promise;
  return { closed: closed.promise };
}

/** It ended by itself, all of it in order, and not by its last resort, which leaves the store as it is. */
async function assertCleanExit(gateway: Gateway): Promise<void> {
  assert.equal((await gateway.exited).code, 0);
  assert.equal(gateway.records.at(-1)?.message, "stopped");
}
