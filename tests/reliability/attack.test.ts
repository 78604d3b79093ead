/**
 * What attackers cost everybody else: floods of wrong tokens, slow bodies, connections that say nothing.
 *
 * @module
 */
import assert from "node:assert/strict";
import { newRegistrationToken } from "../../src/auth/registration_tokens.ts";
import { databases, forEachDatabase } from "../support/databases.ts";
import { dialIn, greet, openBridge } from "../support/exclusive.ts";
import type { CreatedExecutor, GatewayClient } from "../support/gateway.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { connect, type Peer, until } from "../support/websocket.ts";
import { report } from "./support/figures.ts";
import { full } from "./support/scale.ts";
import { dribble } from "./support/slow_client.ts";

const [ATTACKER, EXECUTOR] = ["203.0.113.7", "198.51.100.1"];
const BEHIND_PROXY = { CXG_TRUSTED_PROXIES: "127.0.0.1" };

forEachDatabase("a burst of wrong tokens from one address keeps nobody out", async (store) => {
  const wrongTokens = full ? 10_000 : 2_000;
  await using gateway = await GatewayProcess.start(store, BEHIND_PROXY);
  const executor = await gateway.createExecutor();
  const bridged = await gateway.createExecutor();
  await using machine = await dialIn(gateway, bridged);
  await using harness = await openBridge(gateway, bridged.exe_id);
  await greet(harness, machine);
  const idle = await roundTrips(harness, machine, (count) => count === 500);

  let left = wrongTokens;
  const statuses = new Map<number, number>();
  const burst = Promise.all(Array.from({ length: 64 }, async () => {
    while (left-- > 0) {
      const { status } = await register(gateway, wrong(executor), ATTACKER);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  }));
  let isOver = false;
  burst.finally(() => isOver = true);
  const during = roundTrips(harness, machine, () => isOver);
  const right: number[] = [];
  while (!isOver) {
    const { status, ms } = await register(gateway, executor, EXECUTOR);
    assert.equal(status, 200);
    right.push(ms);
  }
  await burst;
  const busy = await during;
  assert.deepEqual([...statuses.keys()].sort(), [401, 429]);
  assert.equal(statuses.get(401), 10);
  // Its own address is let in with it too, though it is over its limit.
  assert.equal((await register(gateway, executor, ATTACKER)).status, 200);
  const slowest = Math.max(...right);
  assert.ok(slowest < 5_000, `a right token took ${slowest.toFixed(0)} ms`);
  await report(
    `${wrongTokens} wrong tokens from one address, a right one from another meanwhile`,
    `${right.length} of ${right.length} let in, median ${percentile(right, 0.5).toFixed(0)} ms, ` +
      `slowest ${slowest.toFixed(0)} ms`,
  );
  await report(
    `${wrongTokens} wrong tokens from one address, a running bridge's round trips`,
    `p99 ${percentile(busy, 0.99).toFixed(1)} ms, idle ${percentile(idle, 0.99).toFixed(1)} ms`,
  );
});

forEachDatabase("a thousand registrations do not wait for bcrypt", async (store) => {
  await using gateway = await GatewayProcess.start(store);
  const executor = await gateway.createExecutor();
  const started = performance.now();
  let left = 1_000;
  await Promise.all(Array.from({ length: 50 }, async () => {
    while (left-- > 0) assert.equal((await register(gateway, executor)).status, 200);
  }));
  const seconds = (performance.now() - started) / 1_000;
  // By bcrypt it would be a minute on a machine with nothing else to do.
  assert.ok(seconds < 30, `${seconds.toFixed(1)} s`);
  await report(
    "1,000 registrations with registration tokens, 50 at a time",
    `${seconds.toFixed(1)} s`,
  );
});

onEmbedded("a body that does not come is given up after ten seconds", async (store) => {
  await using gateway = await GatewayProcess.start(store, {
    CXG_MAX_CONNECTIONS_PER_ADDRESS: "20",
  });
  const { exe_id, registration_token } = await gateway.createExecutor();
  const head = (framing: string) =>
    `POST /cloud/environment/${exe_id}/register HTTP/1.1\r\nhost: x\r\n` +
    `authorization: Bearer ${registration_token}\r\n${framing}`;
  const answers = await Promise.all([
    firstStatus(gateway.port, head("content-length: 1000\r\n\r\n{"), " "),
    firstStatus(gateway.port, head("transfer-encoding: chunked\r\n\r\n1\r\n{\r\n"), "1\r\n \r\n"),
  ]);
  for (const { status, seconds } of answers) {
    assert.equal(status, 408);
    assert.ok(seconds > 9 && seconds < 20, `${seconds} s`);
  }
  // The requests are over: nothing of them counts any more.
  const { exe_id: another } = await gateway.createExecutor();
  assert.match(another, /^exe_/);
  await report(
    "a request body that never ends is answered 408 after",
    `${answers[0]!.seconds.toFixed(1)} s`,
  );
});

onEmbedded("who goes in the middle of an upgrade holds no connection", async (store) => {
  await using gateway = await GatewayProcess.start(store, {
    ...BEHIND_PROXY,
    CXG_MAX_CONNECTIONS_PER_ADDRESS: "5",
  });
  const executor = await gateway.createExecutor();
  for (let i = 0; i < 20; i++) {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: gateway.port });
    await connection.write(new TextEncoder().encode(
      `GET /codex-exec/${executor.exe_id} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n` +
        `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Forwarded-For: ${ATTACKER}\r\n` +
        `Authorization: Bearer ${executor.registration_token}\r\n\r\n`,
    ));
  }
  await until("its connections are free again", async () => {
    return (await register(gateway, executor, ATTACKER)).status === 200;
  }, 30_000);
  await using _machine = await connect(`${gateway.wsUrl}/codex-exec/${executor.exe_id}`, {
    authorization: `Bearer ${executor.registration_token}`,
    "x-forwarded-for": ATTACKER,
  });
});

forEachDatabase("out of file descriptors, bridges go on and service comes back", async (store) => {
  await using gateway = await GatewayProcess.start(store);
  const executor = await gateway.createExecutor();
  await using machine = await dialIn(gateway, executor);
  await using harness = await openBridge(gateway, executor.exe_id);
  await greet(harness, machine);
  await limitFiles(gateway.pid, await gateway.openFiles() + 60);
  const held: Deno.Conn[] = [];
  let refused = 0;
  for (let i = 0; i < 300; i++) {
    try {
      held.push(await Deno.connect({ hostname: "127.0.0.1", port: gateway.port }));
    } catch {
      refused++;
    }
  }
  assert.ok(refused > 0, "the gateway had descriptors left");
  const during = await roundTrips(harness, machine, (count) => count === 200);
  await gateway.logs(/the listener failed, and is opened again/);
  for (const connection of held) connection.close();
  const started = performance.now();
  // Over a connection of its own each time: one that was there before has never stopped working.
  await until("it serves again", async () => {
    using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
    try {
      const answer = await fetch(`${gateway.url}/readyz`, { client });
      return await answer.text() === "ok";
    } catch {
      return false;
    }
  }, 30_000);
  assert.equal((await register(gateway, executor)).status, 200);
  const seconds = (performance.now() - started) / 1_000;
  harness.send("still there?");
  assert.equal(await machine.next(), "still there?");
  await report(
    "no file descriptor left for connections: round trips of a running bridge, service back after",
    `p99 ${percentile(during, 0.99).toFixed(1)} ms; ${seconds.toFixed(2)} s`,
  );
});

/** Registers a test for the embedded database only: what it is about has nothing to do with one. */
function onEmbedded(
  name: string,
  run: (store: { dataDir: string }) => Promise<void>,
): void {
  Deno.test(name, async () => {
    const database = await databases[0]!.create();
    try {
      await run(database.options);
    } finally {
      await database.dispose();
    }
  });
}

function wrong(executor: CreatedExecutor): CreatedExecutor {
  return { ...executor, registration_token: newRegistrationToken() };
}

async function register(
  gateway: GatewayClient,
  { exe_id, registration_token }: CreatedExecutor,
  from = EXECUTOR,
): Promise<{ status: number; ms: number }> {
  const started = performance.now();
  const response = await fetch(`${gateway.url}/cloud/environment/${exe_id}/register`, {
    method: "POST",
    headers: { authorization: `Bearer ${registration_token}`, "x-forwarded-for": from },
  });
  await response.body?.cancel();
  return { status: response.status, ms: performance.now() - started };
}

/** When the first answer came to a request that is never finished, and its status. */
async function firstStatus(
  port: number,
  first: string,
  more: string,
): Promise<{ status: number; seconds: number }> {
  const answer = await dribble(port, first, more, 30_000, { untilAnswered: true });
  assert.ok(answer?.status !== undefined, "there was no answer");
  return { status: answer.status, seconds: answer.seconds };
}

/** Lowers how many files a process may have open. */
async function limitFiles(pid: number, most: number): Promise<void> {
  const args = ["--pid", `${pid}`, `--nofile=${most}`];
  const { success } = await new Deno.Command("prlimit", { args }).output();
  assert.ok(success, "prlimit failed");
}

/** Round trips one after another, in milliseconds each. */
async function roundTrips(
  harness: Peer,
  machine: Peer,
  isDone: (count: number) => boolean,
): Promise<number[]> {
  const times: number[] = [];
  while (!isDone(times.length)) {
    const started = performance.now();
    harness.send("ping");
    await machine.next(30_000);
    machine.send("pong");
    await harness.next(30_000);
    times.push(performance.now() - started);
  }
  return times;
}

function percentile(times: readonly number[], p: number): number {
  return times.toSorted((a, b) => a - b)[Math.floor((times.length - 1) * p)]!;
}
