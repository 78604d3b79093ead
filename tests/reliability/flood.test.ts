/**
 * What one peer that sends small frames without pause costs everybody else.
 *
 * @module
 */
import assert from "node:assert/strict";
import { median, percentile } from "../../bench/figures.ts";
import { untilConnected } from "../support/exclusive.ts";
import type { GatewayProcess } from "../support/gateway_process.ts";
import { dialInAsRelay, frame, openRelayBridge, register } from "../support/relay.ts";
import type { Peer } from "../support/websocket.ts";
import { report } from "./support/figures.ts";
import { first } from "./support/priority.ts";
import { withGateway } from "./support/process_gateway.ts";
import type { Push } from "./support/pusher.ts";
import { PusherProcess } from "./support/pusher_process.ts";
import { RoundTrips } from "./support/round_trips.ts";
import { full } from "./support/scale.ts";

/** How long the others are looked at, and how often, in milliseconds. */
const ROUND_MS = full ? 3_400 : 700;
const ROUNDS = 3;

/** What the median of the rounds may be. */
const LIMIT_MS = { echoP99: 10, slowestHealthz: 50, revocation: 100 };

const SPENT = "cxg_spent_shares_total";

const STREAM = "stream-flood";

/** What is sent, as fast as TCP takes it. */
const FLOODS: Record<string, Partial<Push>> = {
  "empty text": { frameBytes: 0, opcode: "text", raw: true },
  "one byte, malformed": { frameBytes: 1, raw: true },
  "Data of one byte": { frameBytes: 1 },
  "Data of 1,000 bytes": { frameBytes: 1_000 },
  "pings": { frameBytes: 0, opcode: "ping", raw: true },
  "pongs": { frameBytes: 0, opcode: "pong", raw: true },
};

for (const role of ["harness", "executor"] as const) {
  Deno.test(`the flood of one ${role} disturbs nobody else, and is over when it is revoked`, () =>
    withGateway({}, async (gateway) => {
      await using trips = await RoundTrips.start(gateway);
      await using _first = await first(gateway.pid, Deno.pid);
      for (const [what, push] of Object.entries(FLOODS)) {
        const before = await gateway.metric(SPENT);
        await using flood = await Flood.begin(gateway, role, push);
        const rounds = [];
        for (let round = 0; round < ROUNDS; round++) rounds.push(await look(gateway, trips));
        const echoP99 = median(rounds.map((round) => round.echoP99));
        const slowestHealthz = median(rounds.map((round) => round.slowestHealthz));
        const cores = median(rounds.map((round) => round.cores));
        const spent = await gateway.metric(SPENT) - before;
        const revocation = await flood.revoke();
        await report(
          `the flood of one ${role}: ${what}`,
          `others' echo p99 ${
            echoP99.toFixed(2)
          } ms (limit ${LIMIT_MS.echoP99}), slowest /healthz ` +
            `${
              slowestHealthz.toFixed(1)
            } ms (${LIMIT_MS.slowestHealthz}), revoke-turn answered in ` +
            `${revocation.toFixed(1)} ms (${LIMIT_MS.revocation}), the gateway's CPU ` +
            `${(100 * cores).toFixed(0)}% of a core`,
        );
        if (what.startsWith("Data")) assert.ok(spent > 0, `${what}: nobody waited`);
        assert.ok(echoP99 <= LIMIT_MS.echoP99, `${what}: p99 ${echoP99} ms`);
        assert.ok(slowestHealthz <= LIMIT_MS.slowestHealthz, `${what}: ${slowestHealthz} ms`);
        assert.ok(revocation <= LIMIT_MS.revocation, `${what}: revoked in ${revocation} ms`);
      }
    }));
}

/** One peer of a bridge that sends without pause, and the other, which takes it. */
class Flood implements AsyncDisposable {
  private constructor(
    readonly gateway: GatewayProcess,
    readonly turnId: string,
    readonly pusher: PusherProcess,
    readonly other: Peer,
    /** Settled when the one that floods, or its harness, was told to go. */
    readonly isOver: Promise<unknown>,
  ) {}

  static async begin(
    gateway: GatewayProcess,
    role: "harness" | "executor",
    push: Partial<Push>,
  ): Promise<Flood> {
    const executor = await gateway.createExecutor();
    const { exe_id } = executor;
    const turnId = `turn_${exe_id}`;
    const common = {
      port: gateway.port,
      frameBytes: 0,
      totalBytes: Number.MAX_SAFE_INTEGER,
      stream: STREAM,
    };
    let other: Peer;
    let pusher: PusherProcess;
    if (role === "harness") {
      other = await dialInAsRelay(gateway, executor);
      const token = await gateway.capToken(exe_id, { turn_id: turnId });
      const path = `/bridge/${exe_id}`;
      pusher = await PusherProcess.start({ ...common, path, token, claims: true, ...push });
    } else {
      const token = new URL((await register(gateway, executor)).url).searchParams.get("token")!;
      const path = `/codex-exec/${exe_id}`;
      pusher = await PusherProcess.start({ ...common, path, token, ...push });
      await untilConnected(gateway, exe_id);
      other = await openRelayBridge(gateway, exe_id, { turn_id: turnId });
      other.send(frame(STREAM, "resume"));
    }
    takeAll(other);
    await pusher.go();
    // One that floods with pings is cut by the runtime, and may lose the close frame.
    const isOver = role === "harness"
      ? pusher.event("close").catch(() => pusher.event("gone"))
      : other.closed;
    isOver.catch(() => {});
    return new Flood(gateway, turnId, pusher, other, isOver);
  }

  /** Revokes the turn; returns how long the answer took, in milliseconds, once its bridge is over. */
  async revoke(): Promise<number> {
    const started = performance.now();
    const body = { turn_id: this.turnId };
    const answer = await this.gateway.call("POST", "/api/exec-gateway/revoke-turn", body);
    const ms = performance.now() - started;
    assert.equal(answer.status, 204);
    await this.isOver;
    return ms;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pusher[Symbol.asyncDispose]();
    await this.other[Symbol.asyncDispose]();
  }
}

/** Looks at others for a while. */
async function look(gateway: GatewayProcess, trips: RoundTrips) {
  const healthzMs: number[] = [];
  const cpuBefore = await gateway.cpuSeconds();
  const started = performance.now();
  const echoes = trips.measure(ROUND_MS);
  do {
    const asked = performance.now();
    await (await fetch(`${gateway.url}/healthz`)).text();
    healthzMs.push(performance.now() - asked);
    await new Promise((resolve) => setTimeout(resolve, 20));
  } while (performance.now() - started < ROUND_MS);
  const echoP99 = percentile(await echoes, 0.99);
  const seconds = (performance.now() - started) / 1_000;
  const cores = (await gateway.cpuSeconds() - cpuBefore) / seconds;
  return { echoP99, slowestHealthz: Math.max(...healthzMs), cores };
}

async function takeAll(peer: Peer): Promise<void> {
  try {
    for (;;) await peer.next(600_000);
  } catch {
    // It was closed.
  }
}
