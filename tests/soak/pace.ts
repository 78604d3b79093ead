import type { Random } from "../fuzz/random.ts";
import { sleep } from "./signal.ts";
import type { World } from "./world.ts";

/** How often the event loop is looked at, in milliseconds. */
const TICK_MS = 20;

/** From when on a pause of the event loop counts as a stall, in milliseconds. */
const STALL_MS = 20;

/** How long stalls are remembered, in milliseconds. */
const REMEMBERED_MS = 20_000;

/** The lag of the soak's event loop, and of the gateway's answers, that the load settles at. */
const AIM_MS = 15;
const PROBE_AIM_MS = 60;

/** How often the gateway is asked how it is, in milliseconds. */
const PROBE_MS = 200;

/**
 * Keeps the load at what this machine can bear just now: neither the soak's own event loop nor the
 * gateway's may lag so far behind that what is measured is the lack of a processor.
 */
export class Pace implements Disposable {
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #stalls: { at: number; ms: number }[] = [];
  #last = performance.now();
  #lag = 0;
  #probeLag = 0;
  /** How much longer than planned the actors pause. */
  factor = 1;
  /** The longest stall of the soak's event loop so far, in milliseconds. */
  worstMs = 0;
  /** The longest that the gateway took to say how it is, in milliseconds. */
  worstProbeMs = 0;

  constructor() {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Pauses for up to `ms`, longer where the machine is slow. */
  async pause(random: Random, ms: number): Promise<void> {
    await sleep(random.below(ms) * this.factor);
  }

  /** For how long the event loop stood still since a moment, in milliseconds. */
  stalledSince(since: number): number {
    let ms = performance.now() - this.#last > TICK_MS + STALL_MS
      ? performance.now() - this.#last - TICK_MS
      : 0;
    for (const stall of this.#stalls) {
      if (stall.at >= since) ms += Math.min(stall.ms, stall.at - since);
    }
    return ms;
  }

  /** Asks the gateway for `/healthz`; returns how long that took, in milliseconds. */
  async probe({ gateway, api }: World): Promise<number> {
    const since = performance.now();
    await api.ping(gateway);
    return performance.now() - since;
  }

  /** Probes until it is disposed of. */
  probeOnAndOn(world: World): Disposable {
    const timer = setInterval(async () => {
      const ms = await this.probe(world);
      this.worstProbeMs = Math.max(this.worstProbeMs, ms);
      this.#probeLag = 0.7 * this.#probeLag + 0.3 * ms;
    }, PROBE_MS);
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const now = performance.now();
    const late = now - this.#last - TICK_MS;
    this.#last = now;
    this.#lag = 0.9 * this.#lag + 0.1 * Math.max(0, late);
    this.worstMs = Math.max(this.worstMs, late);
    if (late > STALL_MS) this.#stalls.push({ at: now, ms: late });
    while (this.#stalls.length > 0 && this.#stalls[0]!.at < now - REMEMBERED_MS) {
      this.#stalls.shift();
    }
    const change = this.#lag > AIM_MS || this.#probeLag > PROBE_AIM_MS ? 1.02 : 0.99;
    this.factor = Math.min(50, Math.max(0.5, this.factor * change));
  }
}
