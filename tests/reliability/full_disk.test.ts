/**
 * Issue 4, item 4: the disk of the embedded database is full.
 *
 * @module
 */
import assert from "node:assert/strict";
import { openPglite } from "../../src/store/pglite.ts";
import type { CreatedExecutor } from "../support/gateway.ts";
import { GatewayProcess } from "../support/gateway_process.ts";
import { runGateway } from "../support/process.ts";
import { NOISE_REGISTRATION, noiseKey, register } from "../support/relay.ts";
import { handshake, until } from "../support/websocket.ts";
import { Echoes } from "./support/echoes.ts";
import { report } from "./support/figures.ts";
import { SmallDisk, smallDiskAvailable } from "./support/small_disk.ts";
import { assertSound } from "./support/soundness.ts";

const MIB = 1024 * 1024;

/** A segment of the engine's log, which is made whole before it is written in. */
const SEGMENT_BYTES = 16 * MIB;

/** How soon a call is answered, in milliseconds. */
const ANSWERED_WITHIN_MS = 2_000;

/** How soon service is back after there is room again, in milliseconds. */
const BACK_WITHIN_MS = 5_000;

const FULL = "the database cannot write: its disk is full";

/** The same for a codex, whose user can do no more. */
const FULL_FOR_CODEX = `${FULL}; tell the gateway's operator, and try again later`;

diskTest(
  "no room for another row: what writes is refused, and what reads is answered",
  100,
  async (disk) => {
    await disk.addDatabase();
    const kept: CreatedExecutor[] = [];
    {
      await using gateway = await GatewayProcess.start({ dataDir: disk.dataDir });
      await using echoes = await Echoes.relay(gateway);
      kept.push(await gateway.createExecutor("ws_full"));
      await disk.fill(0);
      const refusal = await createUntilRefused(gateway, kept);
      assert.deepEqual([refusal.status, refusal.error], [503, FULL]);
      assert.ok(refusal.ms < ANSWERED_WITHIN_MS, `${refusal.ms} ms`);
      await assertListed(gateway, kept);
      assert.equal((await fetch(`${gateway.url}/readyz`)).status, 200);
      await disk.makeRoom();
      const ms = await untilWritable(gateway, kept);
      await echoes.stop();
      assertUnharmed(gateway);
      await report(
        "Disk full, no room for another row: refused after",
        `${Math.round(refusal.ms)} ms`,
      );
      await report(
        "Disk full, no room for another row: writes again after",
        `${Math.round(ms)} ms`,
      );
      gateway.kill("SIGKILL");
      await gateway.exited;
    }
    await assertKept(disk, kept);
  },
);

diskTest(
  "no room for the log: the engine dies of it, says so, and comes back by itself",
  100,
  async (disk) => {
    await disk.addDatabase();
    await fillLog(disk.dataDir);
    const kept: CreatedExecutor[] = [];
    const revoked: string[] = [];
    {
      await using gateway = await GatewayProcess.start({ dataDir: disk.dataDir });
      await using echoes = await Echoes.relay(gateway);
      kept.push(await gateway.createExecutor("ws_full"));
      for (const turn_id of ["turn_1", "turn_2"]) {
        const path = "/api/exec-gateway/revoke-turn";
        const { status } = await timed(gateway.call("POST", path, { turn_id }));
        if (status === 204) revoked.push(turn_id);
      }
      assert.equal(revoked.length, 2);
      // For rows, but not for another segment.
      await disk.fill(12 * MIB);
      const refusal = await registerUntilRefused(gateway, kept[0]!);
      assert.deepEqual([refusal.status, refusal.error], [503, FULL_FOR_CODEX]);
      assert.ok(refusal.ms < ANSWERED_WITHIN_MS, `${refusal.ms} ms`);
      await gateway.logs(/embedded database has ended.*PANIC: .*No space left on device/);
      // Reading too needs the engine.
      const answers = [];
      for (let i = 0; i < 20; i++) {
        answers.push(await timed(gateway.call("GET", LISTING)));
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      const slowest = Math.max(...answers.map(({ ms }) => ms));
      assert.ok(slowest < ANSWERED_WITHIN_MS, `${slowest} ms`);
      for (const { status, error } of answers) {
        // While it is tried again, that is what is said.
        assert.equal(status, 503);
        assert.match(error, /its disk is full|the store does not answer/);
      }
      assert.ok(answers.some(({ error }) => error === FULL));
      assert.equal((await fetch(`${gateway.url}/readyz`)).status, 503);
      assert.equal((await fetch(`${gateway.url}/healthz`)).status, 200);
      await disk.makeRoom();
      const ms = await untilWritable(gateway, kept);
      await assertListed(gateway, kept);
      await echoes.stop();
      assertUnharmed(gateway);
      await report(
        "Disk full, no room for the log: slowest answer of 20",
        `${Math.round(slowest)} ms`,
      );
      await report(
        "Disk full, no room for the log: open again by itself after there was room",
        `${Math.round(ms)} ms`,
      );
      gateway.kill("SIGKILL");
      await gateway.exited;
    }
    await assertKept(disk, kept, revoked);
  },
);

diskTest("a first start on a full disk is one line", 60, async (disk) => {
  for (const leaving of [0, 5 * MIB, 30 * MIB]) {
    await disk.fill(leaving);
    await assertRefusedStart(disk);
    await disk.makeRoom();
  }
  // What was begun is not in its own way.
  await using _gateway = await GatewayProcess.start({ dataDir: disk.dataDir });
});

diskTest(
  "a database on a full disk is served, or the reason why not is one line",
  100,
  async (disk) => {
    await disk.addDatabase();
    const kept: CreatedExecutor[] = [];
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      await using gateway = await GatewayProcess.start({ dataDir: disk.dataDir });
      kept.push(await gateway.createExecutor("ws_full"));
      gateway.kill(signal);
      await gateway.exited;
      if (signal === "SIGTERM") {
        // With nothing left there is no room for the engine's lock file, which a kill leaves behind.
        await disk.fill(0);
        await assertRefusedStart(disk);
        await disk.makeRoom();
        await disk.fill(64 * 1024);
      } else {
        await disk.fill(0);
      }
      await using onFull = await GatewayProcess.start({ dataDir: disk.dataDir });
      await assertListed(onFull, kept);
      onFull.kill("SIGKILL");
      await onFull.exited;
      await disk.makeRoom();
    }
    await fillLog(disk.dataDir);
    {
      await using gateway = await GatewayProcess.start({ dataDir: disk.dataDir });
      await disk.fill(12 * MIB);
      await registerUntilRefused(gateway, kept[0]!);
      gateway.kill("SIGKILL");
      await gateway.exited;
    }
    await assertRefusedStart(disk);
    await disk.makeRoom();
    await assertKept(disk, kept);
  },
);

const LISTING = "/api/codex-exec/workspaces/ws_full/executors";

/** So that nothing has to be written but by the database. */
const GIVEN_SECRETS = {
  CXG_CAPTOKEN_HMAC_SECRET: "a".repeat(32),
  CXG_AGENTSERVER_INTERNAL_SECRET: "b".repeat(32),
};

interface Timed {
  status: number;
  /** What it says went wrong. */
  error: string;
  ms: number;
}

function diskTest(name: string, mib: number, test: (disk: SmallDisk) => Promise<void>): void {
  Deno.test({
    name: `disk full: ${name}`,
    ignore: !smallDiskAvailable,
    async fn() {
      await using disk = await SmallDisk.mount(mib);
      await test(disk);
    },
  });
}

async function assertRefusedStart(disk: SmallDisk): Promise<void> {
  const ended = await runGateway({ CXG_DATA_DIR: disk.dataDir, ...GIVEN_SECRETS });
  assert.equal(ended.code, 1);
  assert.equal(ended.stderrLines.length, 1, ended.stderr);
  assert.match(ended.stderr, /^codex-exec-gateway: .*No space left on device/);
  assert.ok(ended.stderr.includes(disk.dataDir), ended.stderr);
}

/** Creates executors of some kilobytes, four at a time, until one is refused; adds those that were not. */
async function createUntilRefused(
  gateway: GatewayProcess,
  kept: CreatedExecutor[],
): Promise<Timed> {
  let refusal: Timed | undefined;
  const create = async () => {
    while (refusal === undefined) {
      const created = await timed(
        gateway.call("POST", "/api/codex-exec/register", { description: incompressible(4000) }, {
          "x-user-id": "user_test",
        }),
      );
      if (created.status !== 201) {
        refusal ??= created;
        return;
      }
      const executor: CreatedExecutor = JSON.parse(created.body);
      const bound = await timed(gateway.call("POST", LISTING, { exe_id: executor.exe_id }));
      if (bound.status === 201) kept.push(executor);
    }
  };
  await Promise.all([create(), create(), create(), create()]);
  return refusal!;
}

/** Registers an executor with large keys until it is refused: a quick way to write to the log. */
async function registerUntilRefused(
  gateway: GatewayProcess,
  { exe_id, registration_token }: CreatedExecutor,
): Promise<Timed> {
  for (;;) {
    const answer = await timed(fetch(`${gateway.url}/cloud/environment/${exe_id}/register`, {
      method: "POST",
      headers: { authorization: `Bearer ${registration_token}` },
      body: JSON.stringify({
        ...NOISE_REGISTRATION,
        executor_public_key: { ...noiseKey(), more: incompressible(60_000) },
      }),
    }));
    if (answer.status !== 200) return answer;
  }
}

/**
 * Writes the log until a third of its segment is left: with a quarter left, a checkpoint would make the
 * next segment.
 */
async function fillLog(dataDir: string): Promise<void> {
  const database = await openPglite(dataDir);
  try {
    for (;;) {
      const [row] = await database.query<{ at: number }>(
        `SELECT mod(pg_current_wal_insert_lsn() - '0/0', ${SEGMENT_BYTES})::float8 AS at`,
      );
      const part = row!.at / SEGMENT_BYTES;
      if (part > 0.6 && part < 0.7) return;
      await database.query("SELECT pg_logical_emit_message(false, 'x', repeat('x', 500000), true)");
    }
  } finally {
    await database.close();
  }
}

/** Waits until an executor can be created, and adds it; returns how long it took, in milliseconds. */
async function untilWritable(gateway: GatewayProcess, kept: CreatedExecutor[]): Promise<number> {
  const started = performance.now();
  await until("it can write", async () => {
    const { status, body } = await timed(
      gateway.call("POST", "/api/codex-exec/register", {}, { "x-user-id": "user_test" }),
    );
    if (status !== 201) return false;
    const executor: CreatedExecutor = JSON.parse(body);
    const bound = await timed(gateway.call("POST", LISTING, { exe_id: executor.exe_id }));
    if (bound.status === 201) kept.push(executor);
    return bound.status === 201;
  }, BACK_WITHIN_MS);
  return performance.now() - started;
}

/** After a restart every executor and revocation is there, and every page of the database is sound. */
async function assertKept(
  disk: SmallDisk,
  kept: readonly CreatedExecutor[],
  revoked: readonly string[] = [],
): Promise<void> {
  {
    await using gateway = await GatewayProcess.start({ dataDir: disk.dataDir });
    await assertListed(gateway, kept);
    for (const executor of kept) await register(gateway, executor);
    const { exe_id } = kept[0]!;
    for (const turn_id of revoked) {
      const { status } = await handshake(`${gateway.wsUrl}/bridge/${exe_id}`, {
        authorization: `Bearer ${await gateway.capToken(exe_id, { turn_id })}`,
      });
      assert.equal(status, 401, "a turn that was revoked is good again");
    }
    gateway.kill("SIGTERM");
    await gateway.exited;
  }
  await assertSound(disk.dataDir);
}

async function assertListed(gateway: GatewayProcess, kept: readonly CreatedExecutor[]) {
  const { status, body } = await timed(gateway.call("GET", LISTING));
  assert.equal(status, 200, body);
  const listed = new Set(JSON.parse(body).map(({ exe_id }: CreatedExecutor) => exe_id));
  assert.deepEqual(kept.filter(({ exe_id }) => !listed.has(exe_id)), []);
}

function assertUnharmed(gateway: GatewayProcess): void {
  gateway.kill("SIGCONT");
  assert.doesNotMatch(gateway.log, / {4}at |Uncaught|[Uu]nhandled|a request failed/);
}

async function timed(answer: Promise<Response>): Promise<Timed & { body: string }> {
  const started = performance.now();
  const { status } = await answer;
  const body = await (await answer).text();
  const { error = "" } = status >= 400 ? JSON.parse(body) : {};
  // Under /cloud it has a code too.
  return { status, error: error.message ?? error, body, ms: performance.now() - started };
}

/** A text that compression does not make shorter by much, or less room would be taken than meant. */
function incompressible(length: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return bytes.toBase64().slice(0, length);
}
