import { HELD_MS, Signal } from "./signal.ts";
import type { World } from "./world.ts";

/** How long the last actor may take to finish, in milliseconds. */
const FINISH_MS = 3 * HELD_MS;

/** Actors at work: what one of them throws is a breach, as is one that never ends. */
export class Actors {
  readonly #world: World;
  readonly #who: string;
  readonly #changed = new Signal();
  #left: number;

  constructor(world: World, who: string, actors: readonly Promise<void>[]) {
    this.#world = world;
    this.#who = who;
    this.#left = actors.length;
    for (const actor of actors) this.#watch(actor);
  }

  /** Resolves when all have ended. */
  async finished(): Promise<void> {
    if (await this.#changed.until(() => this.#left === 0, FINISH_MS)) return;
    this.#world.breaches.note(`${this.#left} ${this.#who} did not end within ${FINISH_MS} ms`);
  }

  async #watch(actor: Promise<void>): Promise<void> {
    try {
      await actor;
    } catch (error) {
      const what = error instanceof Error ? error.stack : `${error}`;
      this.#world.breaches.note(`one of the ${this.#who} failed: ${what}`);
    }
    this.#left--;
    this.#changed.notify();
  }
}
