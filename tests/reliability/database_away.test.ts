/**
 * Issue 4, item 4: PostgreSQL goes away and comes back.
 *
 * @module
 */
import assert from "node:assert/strict";
import { CutProxy } from "../support/cut_proxy.ts";
import { dialIn, greet, openBridge, untilGone } from "../support/exclusive.ts";
import { startGateway } from "../support/gateway.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { askToConnect, dialInAsNoise } from "../support/relay.ts";
import { handshake, settled, until } from "../support/websocket.ts";
import { Echoes } from "./support/echoes.ts";
import { report } from "./support/figures.ts";
import { clusterAvailable, PostgresCluster } from "./support/postgres_cluster.ts";
import { full } from "./support/scale.ts";
import { type Answered, StoreCalls } from "./support/store_calls.ts";

/** How soon what needs the store is refused, in milliseconds. */
const REFUSED_WITHIN_MS = 2_000;

/** How soon all is well again after the database's return, in milliseconds. */
const BACK_WITHIN_MS = 5_000;

const AT_ONCE = 50;

/** A way for the database to be away: what ends it, and what brings it back. */
interface Way {
  readonly name: string;
  leave(server: Away): Promise<void> | void;
  comeBack(server: Away): Promise<void> | void;
}

/** The server, and the wire before it. */
interface Away {
  readonly cluster: PostgresCluster;
  readonly proxy: CutProxy;
}

const STOPPED_FAST: Way = {
  name: "stopped (fast)",
  leave: ({ cluster }) => cluster.stop("fast"),
  comeBack: ({ cluster }) => cluster.start(),
};

const STOPPED_IMMEDIATE: Way = {
  name: "stopped (immediate)",
  leave: ({ cluster }) => cluster.stop("immediate"),
  comeBack: ({ cluster }) => cluster.start(),
};

const FROZEN: Way = {
  name: "frozen (SIGSTOP)",
  leave: ({ cluster }) => cluster.freeze(),
  comeBack: ({ cluster }) => cluster.thaw(),
};

/** What no server says a word about: the way to it is gone, and with it each connection. */
const CUT: Way = {
  name: "cut off",
  leave: ({ proxy }) => proxy.cut(),
  comeBack: ({ proxy }) => proxy.mend(),
};

for (const way of [STOPPED_FAST, STOPPED_IMMEDIATE, FROZEN, CUT]) {
  awayTest(
    `PostgreSQL ${way.name}: bridges go on, and what needs it is refused in time`,
    async (server) => {
      await using gateway = await startOn(server, way);
      await using calls = await StoreCalls.of(gateway);
      await using exclusive = await Echoes.exclusive(gateway);
      await using relay = await Echoes.relay(gateway);
      const idle = await gateway.createExecutor();
      await using machine = await dialIn(gateway, idle);
      const left = await gateway.createExecutor();
      await using leaving = await dialInAsNoise(gateway, left);
      await calls.assertGood();
      leaving.close();
      await untilGone(gateway, left.exe_id);
      // So that the pool is full of connections when they die.
      await calls.makeAtOnce(AT_ONCE);

      const throughout = new Repeated(calls);
      await way.leave(server);
      const answers = [
        // On connections that were open, and on new ones.
        ...await calls.makeAtOnce(AT_ONCE),
        ...await calls.makeAtOnce(AT_ONCE),
        // With work to do that is not the store's.
        ...await calls.makeAtOnce(AT_ONCE, "register an executor"),
        ...full ? await calls.makeEach() : [],
      ];
      assertRefused(answers);
      // It cannot come back, where one that left is otherwise waited for.
      const started = performance.now();
      assert.equal((await askToConnect(gateway, left.exe_id)).status, 503);
      assert.ok(performance.now() - started < REFUSED_WITHIN_MS, "it was waited for");
      assert.equal(await (await fetch(`${gateway.url}/healthz`)).text(), "ok");
      await using harness = await openBridge(gateway, idle.exe_id);
      await greet(harness, machine);

      await way.comeBack(server);
      const backMs = await untilBack(gateway);
      const during = await throughout.stop();
      assert.ok(during.every(({ status }) => status < 400 || status === 503), describe(during));
      const slowest = slowestOf([...answers, ...during]);
      assert.ok(slowest.ms < REFUSED_WITHIN_MS, describe([slowest]));
      await calls.assertGood();
      await exclusive.stop();
      await relay.stop();
      assertUnharmed(gateway);

      await report(`PostgreSQL ${way.name}: slowest 503 of ${answers.length}`, seconds(slowest.ms));
      await report(`PostgreSQL ${way.name}: service back after its return`, seconds(backMs));
      await report(
        `PostgreSQL ${way.name}: echoes meanwhile on two bridges, all right; slowest`,
        `${exclusive.count + relay.count}; ${
          Math.round(Math.max(exclusive.slowestMs, relay.slowestMs))
        } ms`,
      );
    },
  );
}

awayTest("PostgreSQL away again and again: nothing leaks", async (server) => {
  const rounds = full ? 20 : 5;
  await using gateway = await startOn(server, FROZEN);
  await using calls = await StoreCalls.of(gateway);
  const round = async (way: Way) => {
    await way.leave(server);
    assertRefused(await calls.makeAtOnce(AT_ONCE));
    await way.comeBack(server);
    await untilBack(gateway);
    await calls.assertGood();
  };
  const ways = [STOPPED_FAST, FROZEN, STOPPED_IMMEDIATE];
  // What is made once and kept, such as compiled code, is there after the first.
  for (const way of ways) await round(way);
  const before = await settledUsage(gateway);
  for (let i = 0; i < rounds; i++) await round(ways[i % ways.length]!);
  const after = await settledUsage(gateway);
  assertUnharmed(gateway);
  await report(
    `PostgreSQL away ${rounds} times: open files before and after`,
    `${before.files}, ${after.files}`,
  );
  await report(
    `PostgreSQL away ${rounds} times: resident memory before and after`,
    `${before.mib} MiB, ${after.mib} MiB`,
  );
  assert.ok(after.files <= before.files, `${before.files}, ${after.files}`);
  assert.ok(after.mib <= before.mib + MEMORY_TOLERANCE_MIB, `${before.mib}, ${after.mib}`);
});

awayTest(
  "PostgreSQL away: a revocation holds at once, and is kept when it is asked for again",
  async (server) => {
    await using gateway = await startOn(server, STOPPED_FAST);
    const executor = await gateway.createExecutor();
    await using machine = await dialIn(gateway, executor);
    const turn_id = "turn_revoked";
    await using harness = await openBridge(gateway, executor.exe_id, { turn_id });
    await greet(harness, machine);
    const revoke = async () => {
      const path = "/api/exec-gateway/revoke-turn";
      const response = await gateway.call("POST", path, { turn_id });
      await response.body?.cancel();
      return response.status;
    };
    await server.cluster.stop("fast");
    assert.equal(await revoke(), 503, "it is not kept");
    assert.equal((await harness.closed).code, 1008, "but the bridge ends");
    const refused = await handshake(`${gateway.wsUrl}/bridge/${executor.exe_id}`, {
      authorization: `Bearer ${await gateway.capToken(executor.exe_id, { turn_id })}`,
    });
    assert.equal(refused.status, 401, "and no other is opened");
    await server.cluster.start();
    await untilBack(gateway);
    assert.equal(await revoke(), 204);
  },
);

awayTest(
  "what another gateway revoked while the way to PostgreSQL was cut is caught up with",
  async (server) => {
    await using cutOff = await startOn(server, CUT);
    await using other = await startGateway({ databaseUrl: server.cluster.url, dataDir: "" });
    const executor = await cutOff.createExecutor();
    await using machine = await dialIn(cutOff, executor);
    const turn_id = "turn_revoked_elsewhere";
    await using harness = await openBridge(cutOff, executor.exe_id, { turn_id });
    await greet(harness, machine);
    server.proxy.cut();
    const revoked = await other.call("POST", "/api/exec-gateway/revoke-turn", { turn_id });
    assert.equal(revoked.status, 204);
    // Longer than a gateway looks back that was never cut off.
    await new Promise((resolve) => setTimeout(resolve, 20_000));
    harness.send("still there");
    assert.equal(await machine.next(), "still there");
    server.proxy.mend();
    const mendedAt = performance.now();
    assert.ok(await settled(harness.closed, BACK_WITHIN_MS), "the bridge goes on");
    const ms = performance.now() - mendedAt;
    assert.equal((await harness.closed).code, 1008);
    await report(
      "A turn revoked elsewhere while cut off for 20 s: bridge ended after",
      seconds(ms),
    );
  },
);

/** How much more memory may be resident: V8 returns what it has freed when it sees fit. */
const MEMORY_TOLERANCE_MIB = 32;

/** Makes every call in turn, over and over, two at a time, until it is stopped. */
class Repeated {
  #stopped = false;
  readonly #answers: Answered[] = [];
  readonly #going: Promise<unknown>;

  constructor(calls: StoreCalls) {
    const go = async (first: number) => {
      for (let n = first; !this.#stopped; n++) {
        this.#answers.push(await calls.make(n));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    this.#going = Promise.all([go(0), go(Math.floor(calls.count / 2))]);
    // It is told when it is stopped.
    this.#going.catch(() => {});
  }

  async stop(): Promise<Answered[]> {
    this.#stopped = true;
    await this.#going;
    return this.#answers;
  }
}

/** Registers a test with a PostgreSQL server of its own. */
function awayTest(name: string, test: (server: Away) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !clusterAvailable,
    async fn() {
      await using cluster = await PostgresCluster.create();
      await using proxy = await CutProxy.before({ hostname: "127.0.0.1", port: cluster.port });
      await test({ cluster, proxy });
    },
  });
}

/** Starts a gateway, which reaches the server through the wire where that is what goes. */
async function startOn({ cluster, proxy }: Away, way: Way): Promise<GatewayProcess> {
  const url = new URL(cluster.url);
  if (way === CUT) url.port = String(proxy.port);
  return await GatewayProcess.start({ databaseUrl: url.href, dataDir: "" });
}

function assertRefused(answers: readonly Answered[]): void {
  const wrong = answers.filter(({ status, ms, body }) =>
    status !== 503 || ms >= REFUSED_WITHIN_MS ||
    !/^\{"error":.*the store does not answer/.test(body)
  );
  assert.deepEqual(wrong, []);
}

/** Waits until the gateway is ready and makes executors again; returns how long it took, in milliseconds. */
async function untilBack(gateway: GatewayProcess): Promise<number> {
  const started = performance.now();
  const good = async (response: Promise<Response>) => {
    const { ok, body } = await response;
    await body?.cancel();
    return ok;
  };
  await until("service is back", async () =>
    await good(fetch(`${gateway.url}/readyz`)) &&
    await good(
      gateway.call("POST", "/api/codex-exec/register", {}, { "x-user-id": "user_test" }),
    ), BACK_WITHIN_MS);
  return performance.now() - started;
}

/** The process lives, and nothing in its log is a fault of its own. */
function assertUnharmed(gateway: GatewayProcess): void {
  gateway.kill("SIGCONT");
  assert.doesNotMatch(gateway.log, / {4}at |Uncaught|[Uu]nhandled|a request failed/);
}

/** What it uses once idle connections have been closed. */
async function settledUsage(gateway: GatewayProcess): Promise<{ files: number; mib: number }> {
  // The pool closes what was idle for ten seconds.
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  const mib = Math.round(await gateway.residentBytes() / 2 ** 20);
  return { files: await gateway.openFiles(), mib };
}

function slowestOf(answers: readonly Answered[]): Answered {
  return answers.reduce((slowest, answer) => answer.ms > slowest.ms ? answer : slowest);
}

function describe(answers: readonly Answered[]): string {
  return answers.map(({ name, status, ms }) => `${name}: ${status} after ${ms} ms`).join("\n");
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
