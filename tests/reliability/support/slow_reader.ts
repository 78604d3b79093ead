import assert from "node:assert/strict";
import { untilConnected, untilGone } from "../../support/exclusive.ts";
import type { GatewayProcess } from "../../support/gateway_process.ts";
import { RawSocket } from "../../support/raw_socket.ts";
import { frame, register } from "../../support/relay.ts";
import { until } from "../../support/websocket.ts";
import { PusherProcess } from "./pusher_process.ts";

const TOO_SLOW = { code: 1013, reason: "reading too slowly" };
const EXECUTOR_TOO_SLOW = { code: 1013, reason: "the executor reads too slowly" };

/** How long it may take until those who send are held, in milliseconds. */
const HELD_WITHIN_MS = 30_000;

/** How many harnesses together send to a relay executor that does not read. */
const HARNESSES = 4;

export type Kind = "exclusive" | "relay";
export type Role = "harness" | "executor";

/** A peer that does not read, and those that send to it. */
export class SlowReader implements AsyncDisposable {
  private constructor(
    readonly gateway: GatewayProcess,
    readonly role: Role,
    readonly kind: Kind,
    readonly exeId: string,
    readonly stuck: RawSocket,
    readonly pushers: readonly PusherProcess[],
  ) {}

  /**
   * Connects all of them; nothing is sent yet.
   *
   * @param role what it is that does not read
   * @param push what is to be sent to it
   */
  static async set(
    gateway: GatewayProcess,
    role: Role,
    kind: Kind,
    push: { frameBytes: number; totalBytes: number; bytesPerSecond?: number },
  ): Promise<SlowReader> {
    const executor = await gateway.createExecutor();
    const { exe_id } = executor;
    const executorSide = {
      path: `/codex-exec/${exe_id}`,
      token: kind === "exclusive"
        ? executor.registration_token
        : new URL((await register(gateway, executor)).url).searchParams.get("token")!,
    };
    const harnessSide = async () => ({
      path: `/bridge/${exe_id}`,
      token: await gateway.capToken(exe_id),
    });
    const stream = (name: string) => kind === "relay" ? name : undefined;
    const { port } = gateway;
    if (role === "harness") {
      const pusher = await PusherProcess.start({
        port,
        ...executorSide,
        ...push,
        stream: stream("stream-stuck"),
      });
      await untilConnected(gateway, exe_id);
      const { path, token } = await harnessSide();
      const stuck = await RawSocket.open(port, path, token);
      if (kind === "relay") stuck.sendMessage(frame("stream-stuck", "resume"));
      stuck.stopReading();
      await untilBridged(gateway, kind);
      return new SlowReader(gateway, role, kind, exe_id, stuck, [pusher]);
    }
    const stuck = await RawSocket.open(port, executorSide.path, executorSide.token);
    await untilConnected(gateway, exe_id);
    stuck.stopReading();
    const count = kind === "relay" ? HARNESSES : 1;
    const pushers = await Promise.all(
      Array.from({ length: count }, async (_, n) =>
        await PusherProcess.start({
          port,
          ...await harnessSide(),
          ...push,
          totalBytes: push.totalBytes / count,
          bytesPerSecond: push.bytesPerSecond && push.bytesPerSecond / count,
          stream: stream(`stream-${n}`),
          claims: kind === "relay",
        })),
    );
    return new SlowReader(gateway, role, kind, exe_id, stuck, pushers);
  }

  /** Lets all of it be sent. */
  async begin(): Promise<void> {
    await Promise.all(this.pushers.map((pusher) => pusher.go()));
  }

  /** Waits until all who send are held, and nothing more comes in. */
  async untilHeld(): Promise<void> {
    const { gateway, pushers } = this;
    const side = this.role === "harness" ? "executor" : "harness";
    await until(
      "those who send are held",
      async () => await gateway.metric(`cxg_held{side="${side}"}`) === pushers.length,
      HELD_WITHIN_MS,
    );
    let passed = -1;
    await until("nothing more comes in", async () => {
      const before = passed;
      passed = await gateway.metric(`cxg_frames_total{to="${this.role}"}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
      // The round trips of others are small and few.
      return before >= 0 && await gateway.metric("cxg_buffered_bytes") > 0 && passed - before < 400;
    }, HELD_WITHIN_MS);
  }

  /** Checks what each side was told, and that nothing is left when the one that was stuck has read. */
  async assertClosed(): Promise<void> {
    if (this.role === "executor") {
      await untilGone(this.gateway, this.exeId);
      for (const pusher of this.pushers) {
        const { code, reason } = await pusher.event("close");
        assert.deepEqual({ code, reason }, EXECUTOR_TOO_SLOW);
      }
    } else if (this.kind === "relay") {
      assert.equal((await this.pushers[0]!.event("reset")).reason, TOO_SLOW.reason);
    }
    assert.equal(await this.gateway.metric("cxg_left_behind"), 1);
    this.stuck.resumeReading();
    assert.deepEqual(await this.stuck.readClose(), TOO_SLOW);
    await until(
      "nothing is left behind",
      async () =>
        await this.gateway.metric("cxg_left_behind") === 0 &&
        await this.gateway.metric("cxg_buffered_bytes") === 0,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.stuck[Symbol.dispose]();
    for (const pusher of this.pushers) await pusher[Symbol.asyncDispose]();
  }
}

async function untilBridged(gateway: GatewayProcess, kind: Kind): Promise<void> {
  const name = kind === "relay" ? "cxg_streams" : "cxg_bridges";
  await until("the bridge is up", async () => await gateway.metric(name) >= 1);
}
