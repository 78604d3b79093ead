import assert from "node:assert/strict";
import { sendAway } from "../src/send_away.ts";
import { GATEWAY_STOPPING } from "../src/switchboard/close_codes.ts";

/** Peers that were told to go, and do when a test says so. */
class Peers {
  readonly size: number;
  readonly gone = Promise.withResolvers<void>();
  told = "";

  constructor(size: number) {
    this.size = size;
    if (size === 0) this.gone.resolve();
  }

  async closeAll({ code, reason }: { code: number; reason: string }): Promise<void> {
    this.told = `${code} ${reason}`;
    await this.gone.promise;
  }
}

/** Later than any test waits. */
const NEVER_MS = 2 ** 30;

Deno.test("where nobody had to be told to go, the port closes at once", async () => {
  const peers = new Peers(0);
  await sendAway(peers, [NEVER_MS]);
  assert.equal(peers.told, `${GATEWAY_STOPPING.code} ${GATEWAY_STOPPING.reason}`);
});

Deno.test("the port stays open for a while though all peers have gone", async () => {
  const peers = new Peers(3);
  const start = performance.now();
  const closes = sendAway(peers, [300, NEVER_MS]);
  peers.gone.resolve();
  await closes;
  assert.equal(peers.told, `${GATEWAY_STOPPING.code} ${GATEWAY_STOPPING.reason}`);
  assert.ok(performance.now() - start >= 299, "it closed too soon");
});

Deno.test("while peers have not gone, the port stays open, to the last moment that is allowed", async () => {
  const stubborn = new Peers(1);
  await sendAway(stubborn, [1, 2, 50]);

  const late = new Peers(1);
  let looks = 0;
  const moments = {
    *[Symbol.iterator]() {
      for (const ms of [1, 2, 3, NEVER_MS]) {
        // The last peer goes after the second look.
        if (++looks === 3) late.gone.resolve();
        yield ms;
      }
    },
  };
  await sendAway(late, moments as unknown as readonly number[]);
  assert.equal(looks, 3);
});
