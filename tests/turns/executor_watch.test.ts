import assert from "node:assert/strict";
import { ExecutorWatch } from "../../src/turns/executor_watch.ts";
import type { Ending } from "../../src/switchboard/close_codes.ts";
import type { Connection } from "../../src/switchboard/events.ts";
import { until } from "../support/websocket.ts";

/** A store and a switchboard of one executor, and what is watched. */
function rig() {
  const ended: string[] = [];
  const state = {
    changes: [] as { change_id: string; exe_id: string }[],
    hash: "old" as string | undefined,
    connection: undefined as Connection | undefined,
    asked: 0,
    ended,
  };
  const watch = new ExecutorWatch({
    endings: { executorChanges: () => Promise.resolve(state.changes) },
    getRegistrationTokenHash: () => (state.asked++, Promise.resolve(state.hash)),
  }, {
    connectionOf: () => state.connection,
    expel: (exeId: string, { label }: Ending) => {
      ended.push(`${exeId} ${label}`);
      state.connection = undefined;
    },
  });
  return { state, watch };
}

function connectionBy(proof: string): Connection {
  return { link: { exeId: "exe" }, remote: "192.0.2.1", since: 0, proof } as unknown as Connection;
}

const CHANGE = { change_id: "1", exe_id: "exe" };

Deno.test("whoever came by a token that was replaced, or whose executor is gone, has to go", async () => {
  for (const [hash, label] of [["new", "token_replaced"], [undefined, "removed"]] as const) {
    const { state, watch } = rig();
    state.connection = connectionBy("old");
    await watch.catchUp(15);
    assert.deepEqual(state.ended, []);
    Object.assign(state, { changes: [CHANGE], hash });
    await watch.catchUp(15);
    assert.deepEqual(state.ended, [`exe ${label}`]);
  }
});

Deno.test("whoever came by the new token stays, and a change is looked at once", async () => {
  const { state, watch } = rig();
  Object.assign(state, { changes: [CHANGE], hash: "new", connection: connectionBy("new") });
  await watch.catchUp(15);
  await watch.catchUp(15);
  assert.deepEqual([state.ended, state.asked], [[], 1]);
  state.changes.push({ ...CHANGE, change_id: "2" });
  state.hash = undefined;
  await watch.catchUp(15);
  assert.deepEqual(state.ended, ["exe removed"]);
});

Deno.test("one that was let in before the change and arrives after it has to go too", async () => {
  const { state, watch } = rig();
  Object.assign(state, { changes: [CHANGE], hash: "new" });
  await watch.catchUp(15);
  assert.equal(state.asked, 0);
  state.connection = connectionBy("old");
  watch.heed({ type: "executor connected", connection: state.connection });
  await until("it is ended", () => state.ended.length > 0);
  assert.deepEqual(state.ended, ["exe token_replaced"]);
});

Deno.test("a change is looked at again when the store did not answer", async () => {
  const { state } = rig();
  Object.assign(state, { changes: [CHANGE], connection: connectionBy("old") });
  const failing = new ExecutorWatch({
    endings: { executorChanges: () => Promise.resolve(state.changes) },
    getRegistrationTokenHash: () =>
      state.asked++ === 0 ? Promise.reject(new Error("away")) : Promise.resolve("new"),
  }, {
    connectionOf: () => state.connection,
    expel: (exeId: string) => state.ended.push(exeId),
  });
  await assert.rejects(failing.catchUp(15), /away/);
  await failing.catchUp(15);
  assert.deepEqual(state.ended, ["exe"]);
});
