/** Who has registered and is to dial in. */

import { log } from "../log/logging.ts";

/** How long after its register call an executor should have dialled in, in milliseconds. codex does so at once. */
const DIALS_WITHIN_MS = 15_000;

/** Whether an executor has dialled in at any process in the last `seconds`, or is there no more. */
export type HasDialled = (exeId: string, seconds: number) => Promise<boolean>;

interface Awaited {
  /** What it was told to dial, without its ticket. */
  url: string;
  /** Where it registered from. */
  remote: string;
  /** `undefined` once the warning was given. */
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * The executors that have registered and are to dial in. One that cannot reach the URL that it was given
 * (a path prefix, a port that was lost, a proxy that refuses upgrades) leaves no other trace here: the
 * log warns of it, once until it does dial in.
 */
export class AwaitedDials implements Disposable {
  readonly #hasDialled: HasDialled;
  readonly #withinMs: number;
  readonly #awaited = new Map<string, Awaited>();

  /** @param withinMs how long an executor has, in milliseconds */
  constructor(hasDialled: HasDialled, withinMs = DIALS_WITHIN_MS) {
    this.#hasDialled = hasDialled;
    this.#withinMs = withinMs;
  }

  /**
   * An executor has registered.
   *
   * @param url what it was told to dial, without its ticket
   */
  registered(exeId: string, url: string, remote: string): void {
    const known = this.#awaited.get(exeId);
    if (known !== undefined) {
      // A supervisor may start it again and again: its time goes on.
      known.url = url;
      known.remote = remote;
      return;
    }
    const registeredAt = performance.now();
    const timer = setTimeout(() => this.#judge(exeId, registeredAt), this.#withinMs);
    Deno.unrefTimer(timer);
    this.#awaited.set(exeId, { url, remote, timer });
  }

  /** An executor has dialled in with a good credential, whatever came of it. */
  dialled(exeId: string): void {
    clearTimeout(this.#awaited.get(exeId)?.timer);
    this.#awaited.delete(exeId);
  }

  /** Awaits nobody any more. */
  [Symbol.dispose](): void {
    for (const exeId of [...this.#awaited.keys()]) this.dialled(exeId);
  }

  async #judge(exeId: string, registeredAt: number): Promise<void> {
    const awaited = this.#awaited.get(exeId)!;
    const seconds = (performance.now() - registeredAt) / 1000;
    // While the store is away, it could not dial in; it has to register again after that.
    const dialled = await this.#hasDialled(exeId, seconds).catch(() => true);
    if (this.#awaited.get(exeId) !== awaited) return;
    if (dialled) return this.dialled(exeId);
    awaited.timer = undefined;
    log.warn(
      "an executor has registered and not dialled in: can it reach the URL that it was given? Behind a path " +
        "prefix, another name or another port set CXG_PUBLIC_WS_BASE_URL, and have every proxy pass " +
        "websocket upgrades on",
      { exe_id: exeId, url: awaited.url, remote: awaited.remote, seconds: Math.round(seconds) },
    );
  }
}
