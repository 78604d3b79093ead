/**
 * Issue 4, item 2: what becomes of unrelated calls while gateways replace each other.
 *
 * @module
 */
import assert from "node:assert/strict";
import { onPostgres } from "../support/databases.ts";
import { report } from "./support/figures.ts";
import { full } from "./support/scale.ts";
import { Succession } from "./support/succession.ts";

const RESTARTS = full ? 20 : 3;
const CALLS_PER_S = 200;

onPostgres("the port is never closed while gateways replace each other", async (store) => {
  await using gateways = await Succession.start(store);
  await gateways.current.createExecutor();
  using traffic = new Traffic(`${gateways.current.url}/readyz`);
  for (let restart = 0; restart < RESTARTS; restart++) await gateways.replace("SIGTERM");
  const { calls, refused, cut } = await traffic.stop();
  await report(
    `calls on connections of their own, ${CALLS_PER_S} a second, during ${RESTARTS} rolling ` +
      "restarts, PostgreSQL: refused, or cut before their answer",
    `${refused} refused, ${cut} cut, of ${calls}`,
  );
  assert.equal(refused, 0);
  // The runtime closes a connection whose request it has not read yet when it stops to listen.
  assert.ok(cut <= RESTARTS, `${cut} of ${calls} were cut`);
});

/** Calls at a steady rate, each on a new connection, whatever became of the one before. */
class Traffic implements Disposable {
  readonly #client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #calls: Promise<"answered" | "refused" | "cut">[] = [];

  constructor(url: string) {
    this.#timer = setInterval(() => this.#calls.push(this.#call(url)), 1000 / CALLS_PER_S);
  }

  async stop(): Promise<{ calls: number; refused: number; cut: number }> {
    clearInterval(this.#timer);
    const outcomes = await Promise.all(this.#calls);
    const count = (what: string) => outcomes.filter((outcome) => outcome === what).length;
    return { calls: outcomes.length, refused: count("refused"), cut: count("cut") };
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#client.close();
  }

  async #call(url: string) {
    try {
      const response = await fetch(url, { client: this.#client });
      await response.body?.cancel();
      return response.ok ? "answered" as const : "refused" as const;
    } catch (error) {
      const said = `${error} ${(error as Error).cause ?? ""}`;
      return said.includes("refused") ? "refused" as const : "cut" as const;
    }
  }
}
