import assert from "node:assert/strict";
import { dialIn, openBridge, untilConnected } from "../support/exclusive.ts";
import type { GatewayProcess } from "../support/gateway_process.ts";
import { type Hosts, hostsTest } from "../support/hosts/hosts.ts";
import {
  dialInAsRelay,
  frame,
  openRelayBridge,
  parseFrame,
  register,
  resetReason,
} from "../support/relay.ts";
import { handshake, type Peer, settled, until } from "../support/websocket.ts";
import { report } from "./support/figures.ts";
import { PeerProcess } from "./support/peer_process.ts";
import { withGateway } from "./support/process_gateway.ts";
import { full } from "./support/scale.ts";

/** CXG_PING_INTERVAL: what it is when nothing else is said, or short. */
const PING_INTERVAL_S = full ? 15 : 2;

/** A minute at the default interval. */
const LIMIT_S = 4 * PING_INTERVAL_S;

/** More than the kernel holds for a peer that does not read: what is more is held back. */
const IN_FLIGHT = { frames: 192, frameBytes: 64 * 1024 };

const STREAM = "stream-1";

type Role = "executor" | "harness";
type Kind = "exclusive" | "relay";

/** One that is cut off, and what tells that the gateway has noticed. */
interface Case {
  readonly name: string;
  readonly peer: PeerProcess;
  /** Sends to it what will not arrive. */
  load(): void;
  /** Resolves when who it was joined to was told. */
  noticed(): Promise<void>;
}

Deno.test("peers whose process is stopped are noticed within a minute", async () => {
  await tryAll("process stopped", {}, undefined, async (cases) => {
    for (const { peer } of cases) peer.freeze();
    await Promise.resolve();
  });
});

hostsTest("peers whose network is gone are noticed within a minute", {}, async (hosts) => {
  const cut = () => hosts.harness.link.cut();
  await tryAll("link down", { CXG_HOST: "0.0.0.0" }, hosts, cut);
});

/** Cuts off executors and harnesses of both kinds, idle and with data in flight, all at once. */
async function tryAll(
  how: string,
  variables: Record<string, string>,
  hosts: Hosts | undefined,
  cut: (cases: readonly Case[]) => Promise<void>,
): Promise<void> {
  variables = { ...variables, CXG_PING_INTERVAL: String(PING_INTERVAL_S) };
  await withGateway(variables, async (gateway) => {
    await using stack = new AsyncDisposableStack();
    const cases: Case[] = [];
    const loaded = new Set<Case>();
    for (const inFlight of [false, true]) {
      for (const kind of ["exclusive", "relay"] as const) {
        for (const role of ["executor", "harness"] as const) {
          const it = await prepare(gateway, stack, { role, kind, hosts });
          cases.push(it);
          if (inFlight) loaded.add(it);
        }
      }
    }
    await cut(cases);
    const startedAt = performance.now();
    for (const it of loaded) it.load();
    const waits = async () => await gateway.metric("cxg_buffered_bytes") >= loaded.size * 2 ** 19;
    await until("data is in flight", waits);
    const seconds = await Promise.all(cases.map(async (it) => {
      await it.noticed();
      return (performance.now() - startedAt) / 1000;
    }));
    for (const [idle, name] of [[true, "idle"], [false, "with data in flight"]] as const) {
      const took = seconds.filter((_, n) => loaded.has(cases[n]!) !== idle);
      await report(
        `dead peers (${how}, ${name}, ping interval ${PING_INTERVAL_S} s) are noticed`,
        `after ${Math.min(...took).toFixed(1)} to ${Math.max(...took).toFixed(1)} s, ` +
          `limit ${LIMIT_S} s`,
      );
    }
    cases.forEach(({ name }, n) => assert.ok(seconds[n]! <= LIMIT_S, `${name}: ${seconds[n]} s`));
    assert.equal(await gateway.metric("cxg_bridges"), 0);
  });
}

/** Joins a peer in a process of its own to one of the test's. */
async function prepare(
  gateway: GatewayProcess,
  stack: AsyncDisposableStack,
  { role, kind, hosts }: { role: Role; kind: Kind; hosts: Hosts | undefined },
): Promise<Case> {
  const executor = await gateway.createExecutor();
  const { exe_id } = executor;
  const host = hosts?.harness;
  const base = hosts?.gateway.url(gateway.port, "ws") ?? gateway.wsUrl;
  const name = `${role} (${kind})`;
  if (role === "executor") {
    const token = kind === "exclusive"
      ? executor.registration_token
      : new URL((await register(gateway, executor)).url).searchParams.get("token")!;
    const url = `${base}/codex-exec/${exe_id}`;
    const peer = stack.use(await PeerProcess.start({ url, token, host }));
    await untilConnected(gateway, exe_id);
    const harness = stack.use(
      await (kind === "relay" ? openRelayBridge : openBridge)(gateway, exe_id),
    );
    if (kind === "relay") harness.send(frame(STREAM, "resume"));
    return {
      name,
      peer,
      load: () => load(harness, kind),
      async noticed() {
        await settled(harness.closed, 2 * LIMIT_S * 1000);
        const isConnected = (await gateway.connected()).includes(exe_id);
        assert.equal(isConnected, false, `${name} is still connected`);
        assert.deepEqual(await harness.closed, { code: 1001, reason: "executor disconnected" });
      },
    };
  }
  const machine = stack.use(await (kind === "relay" ? dialInAsRelay : dialIn)(gateway, executor));
  const peer = stack.use(
    await PeerProcess.start({
      url: `${base}/bridge/${exe_id}${kind === "relay" ? "?role=harness" : ""}`,
      token: await gateway.capToken(exe_id),
      first: kind === "relay" ? frame(STREAM, "resume") : new TextEncoder().encode("hello"),
      host,
    }),
  );
  await machine.next();
  return {
    name,
    peer,
    load: () => load(machine, kind),
    async noticed() {
      if (kind === "relay") {
        const told = parseFrame(await machine.next(2 * LIMIT_S * 1000));
        assert.deepEqual([told.streamId, resetReason(told)], [STREAM, "bridge closed"]);
      } else {
        await until("the executor is free", () => isFree(gateway, exe_id), 2 * LIMIT_S * 1000);
      }
    },
  };
}

function load(sender: Peer, kind: Kind): void {
  const bytes = new Uint8Array(IN_FLIGHT.frameBytes);
  const message = kind === "relay" ? frame(STREAM, "data", bytes) : bytes;
  for (let n = 0; n < IN_FLIGHT.frames; n++) sender.send(message);
}

/** Whether another bridge may have an exclusive executor. */
async function isFree(gateway: GatewayProcess, exeId: string): Promise<boolean> {
  const token = await gateway.capToken(exeId);
  return (await handshake(`${gateway.wsUrl}/bridge/${exeId}?token=${token}`)).status === 101;
}
